"""Any OpenAI-compatible server as an engine."""

from tts.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
