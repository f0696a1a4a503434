"""Trains verifiers: `tts train`. Generative ones on conversations, discriminative ones on labelled solutions."""
