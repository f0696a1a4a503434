"""Searches as models behind an OpenAI-compatible endpoint: `tts serve`."""
