"""A search strategy over the problems of a task: records, resumption, summary."""
