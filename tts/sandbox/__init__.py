"""Places in which model-written code runs."""
