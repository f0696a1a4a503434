"""An engine that tells what its samples depend on, and what was generated."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tts.core.errors import EngineError
from tts.engines.generating import Completion, Engine, Request, Token


class Writer:
    """Samples that tell what they depend on, landing in random order; keeps a list of what was generated."""

    def __init__(self, identity: str = "m", seed: int = 0) -> None:
        self.name, self.parameters, self.capacity = identity, 7, 100
        self.random = random.Random(seed)
        self.generated: list[tuple[str, int]] = []
        self.fails = self.stalls = False

    async def start(self) -> None:
        pass

    def identity(self) -> Mapping[str, Any]:
        return {"model": self.name}

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        order = list(enumerate(request.seeds))
        self.random.shuffle(order)
        for index, seed in order:
            for _ in range(self.random.randrange(4)):
                await asyncio.sleep(0)
            if self.fails:
                raise EngineError("the engine broke")
            if self.stalls and self.generated:
                await asyncio.sleep(3600)
            self.generated.append((request.prompt, seed))
            text = f"{self.name} {request.prompt} {request.sampling} {seed}"
            token = Token(text, -0.1, {text: -0.1, "x": -1 / 3}, {text: 0.0, "x": -math.inf})
            tokens = (token,) if request.sampling.top_logprobs else None
            yield Completion(text, "stop", None, tokens, 3, 2, index)

    async def count_tokens(self, text: str) -> int:
        return len(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        return ""

    async def close(self) -> None:
        pass


async def complete(engine: Engine, request: Request) -> list[Completion]:
    return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)
