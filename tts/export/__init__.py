"""Writes training data as the programs that train with it read it: `tts export`."""
