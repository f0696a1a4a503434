"""Language models run in this process with vLLM."""

from tts.engines.vllm.engine import VLLMEngine

__all__ = ["VLLMEngine"]
