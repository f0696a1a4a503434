"""What everybody speaks: problems, solutions, verdicts, search trees, and the interfaces of the parts."""
