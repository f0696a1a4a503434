"""Language models run in this process with Hugging Face transformers, continuously batched."""

from tts.engines.transformers.engine import TransformersEngine

__all__ = ["TransformersEngine"]
