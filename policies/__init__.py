"""Policies: each proposes solutions and their steps."""
