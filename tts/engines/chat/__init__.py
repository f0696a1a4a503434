"""Hosted and local chat servers (`/v1/chat/completions`) as an engine."""

from tts.engines.chat.engine import ChatEngine

__all__ = ["ChatEngine"]
