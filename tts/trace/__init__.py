"""Explains a search's choice from its saved tree."""
