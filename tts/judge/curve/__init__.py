"""Comparison of the runs of a judge sweep."""
