"""Codecs: each maps a solution to token ids and read positions in one published format, and rows back to scores."""
