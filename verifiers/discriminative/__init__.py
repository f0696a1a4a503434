"""Discriminative verifiers: models that say a score, not a text.

`verifier.py` joins a codec (`codecs/`: a published format, from steps to token ids and from what is read back to scores)
with an engine that reads (`backend/`: a checkpoint, its head, and the batching).
"""
