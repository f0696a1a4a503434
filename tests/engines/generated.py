"""What an engine in this process generates for a request over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tts.core.errors import EngineError
from tts.engines.generating import Completion, Engine, Request

Body = dict[str, Any]
Reply = tuple[int, Body]


async def generated(engine: Engine, context: int, request: Request, *, cuts: bool = False) -> list[Completion] | Reply:
    """Returns the completions; if `cuts`, a text that reaches the context's end is cut there instead of refused."""
    length = await engine.count_tokens(request.prompt)
    if length >= context:
        return 400, {"error": {"message": f"{length} tokens exceed the maximum context length of {context}"}}
    if request.sampling.max_tokens > context - length:
        if not cuts:
            return 400, {"error": {"message": f"max_tokens exceeds the maximum context length of {context}"}}
        request = replace(request, sampling=replace(request.sampling, max_tokens=context - length))
    try:
        return [c async for c in engine.generate(request)]
    except EngineError as error:
        return 500, {"error": {"message": str(error)}}
