"""Composes configurations from names and overrides, and builds objects from configurations."""
