"""Keeps the rationales that agree with the labels, and writes them as data to train on: `tts filter`."""
