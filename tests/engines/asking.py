"""One request to an engine over HTTP."""

from __future__ import annotations

from tts.engines.generating import Completion, Request
from tts.engines.openai import OpenAIEngine


async def ask(engine: OpenAIEngine, request: Request) -> list[Completion]:
    """Returns the completions in the order of the seeds, and closes the engine."""
    try:
        return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)
    finally:
        await engine.close()
