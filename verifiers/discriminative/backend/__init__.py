"""Engines that read: a checkpoint's backbone and head, in this process, batched; or in vLLM."""

from verifiers.discriminative.backend.engine import TransformersReader
from verifiers.discriminative.backend.vllm import VLLMReader

__all__ = ["TransformersReader", "VLLMReader"]
