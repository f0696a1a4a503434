"""Evaluation of a search strategy on the problems of a task: records, resumption, summary."""
