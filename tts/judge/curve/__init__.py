"""The runs of a sweep of the judge side by side."""
