"""Codecs: one published input format each, from a solution to token ids and read positions, and back to scores."""
