"""Discriminative verifiers: models that return a score instead of text.

`verifier.py` joins a codec (`codecs/`: a published format, from steps to token ids and from the model's values back to
scores) with a scoring engine (`tts.engines.scoring`: a checkpoint, its head, and the batching).
"""
