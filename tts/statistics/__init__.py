"""Figures and their uncertainty."""
