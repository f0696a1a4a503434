"""Tasks: problems, answers and their grading."""
