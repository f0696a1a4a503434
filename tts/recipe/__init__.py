"""Recipes: the commands from problems to a trained verifier, one after the other: `tts recipe`."""
