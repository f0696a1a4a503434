"""Files that a run writes: atomically written files, and logs of records that can be appended to and resumed."""
