"""Evaluates a verifier on solutions with labelled steps: `python -m tts.judge [overrides]`."""
