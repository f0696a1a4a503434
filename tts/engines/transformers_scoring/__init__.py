"""Engines that score with a checkpoint's backbone and head: in this process, batched; or in vLLM."""

from tts.engines.transformers_scoring.engine import TransformersScorer
from tts.engines.vllm.scoring import VLLMScorer

__all__ = ["TransformersScorer", "VLLMScorer"]
