"""A lower bound on the time of a search, from its engine requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tts.budget import Role
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.metered import MeteredGenerator
from tts.engines.simulated.prefix_cache import PrefixCache, block_keys
from tts.engines.simulated.tokens import CHARACTERS, count

_BLOCK = 16
"""Tokens per block of the simulated engine's prefix cache."""


@dataclass(frozen=True)
class Gpu:
    """The speed of a simulated GPU, see `SimulatedEngine`.

    Attributes:
        max_sequences: Sequences decoded together.
        tick_base: Seconds of a tick, regardless of the batch.
        tick_per_sequence: Seconds that each sequence adds to it.
        prefill: Seconds per uncached prompt token.
    """

    max_sequences: int
    tick_base: float
    tick_per_sequence: float
    prefill: float

    def share(self, tokens: int, uncached: int) -> float:
        """Returns a sample's share of the GPU's time with a full batch, in seconds: the minimum possible.

        Args:
            tokens: Sampled tokens.
            uncached: Prompt tokens to compute.
        """
        return tokens * (self.tick_base / self.max_sequences + self.tick_per_sequence) + uncached * self.prefill

    def alone(self, tokens: int, uncached: int) -> float:
        """Returns the seconds from a sample's request to its end on an otherwise idle GPU."""
        return tokens * (self.tick_base + self.tick_per_sequence) + uncached * self.prefill


class Log(MeteredGenerator):
    """A metered generator that records every finished sample, with the prompt tokens that an unlimited cache would lack.

    Args:
        engine: The engine.
        role: As of `MeteredGenerator`.
        limit: As of `MeteredGenerator`.
    """

    def __init__(self, engine: Engine, role: Role, limit: int) -> None:
        super().__init__(engine, role, limit)
        self.samples: dict[tuple[str, Sampling, int], tuple[Completion, int]] = {}
        self._cache = PrefixCache(1 << 30, _BLOCK)

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """As `MeteredGenerator.generate`."""
        blocks = block_keys(request.prompt, _BLOCK * CHARACTERS)
        # The first sample computes the prompt for the others, except for the tokens after its last full block.
        first, rest = self._cache.match(blocks), len(blocks) * _BLOCK
        self._cache.store(blocks)
        async with aclosing(super().generate(request)) as completions:
            async for completion in completions:
                self._cache.store(block_keys(request.prompt + completion.text, _BLOCK * CHARACTERS, blocks))
                uncached = completion.prompt_tokens - (rest if completion.index else first)
                self.samples[request.prompt, request.sampling, request.seeds[completion.index]] = completion, uncached
                yield completion

    def work(self, gpu: Gpu) -> float:
        """Returns the seconds that all samples take on a GPU with an always full batch."""
        return sum(gpu.share(completion.completion_tokens, uncached) for completion, uncached in self.samples.values())


class Alone:
    """Replays each sample of a log, as if it had a GPU to itself.

    A search in virtual time on such engines takes as long as its critical path: the longest chain of requests each of which
    depends on the one before.

    Args:
        log: The recorded samples.
        gpu: The GPU's speed.
    """

    parameters = None
    capacity = 1 << 30
    follows_clock = True

    def __init__(self, log: Log, gpu: Gpu) -> None:
        self.name = log.name
        self._log = log
        self._gpu = gpu

    async def start(self) -> None:
        """Does nothing."""

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the logged completions of a request."""
        finished: asyncio.Queue[Completion] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for index, seed in enumerate(request.seeds):
            completion, uncached = self._log.samples[request.prompt, request.sampling, seed]
            seconds = self._gpu.alone(completion.completion_tokens, uncached)
            loop.call_later(seconds, finished.put_nowait, replace(completion, index=index))
        for _ in request.seeds:
            yield await finished.get()

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`, as the simulated engine counts."""
        return count(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders as the logged engine does."""
        return self._log.render(messages, answer=answer)

    async def close(self) -> None:
        """Does nothing."""
