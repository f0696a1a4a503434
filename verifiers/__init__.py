"""Verifiers: each judges the steps of a solution."""
