"""An engine under test, what it is asked, and how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import policies.embedded
from policies.simulated import SolutionWriter
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.simulated import SimulatedEngine

EMBEDDED_POLICY = str(Path(policies.embedded.__file__).parent / "checkpoint")

PROMPTS = tuple(
    f"<｜begin▁of▁sentence｜><｜User｜>{question}<｜Assistant｜>"
    for question in (
        "A shop starts with 18 shirts. In the first week, 11 shirts that left come back. In the second week, 30 shirts "
        "arrive. In the third week, 16 shirts arrive. How many shirts are in the shop now?",
        "A library starts with 15 books. On the first day, 14 books are returned. On the second day, 50 books are "
        "returned. On the third day, 19 books are lent. How many books are in the library now?",
        "A jar starts with 64 marbles. In the first round, half of the marbles are given away. In the second round, 27 "
        "marbles are put in. In the third round, 9 marbles are put in. How many marbles are in the jar now?",
    )
)

# Hot enough that samples differ, whatever the model was trained for.
HOT = Sampling(max_tokens=48, temperature=1.6)

# Goes on for hundreds of tokens: what was said before, the end-of-text token in the prompt included, is not said again.
RAMBLING_PROMPT = f"{PROMPTS[0]}<｜end▁of▁sentence｜>"
RAMBLING = Sampling(max_tokens=400, temperature=2.0, repetition_penalty=2.0)

SIMULATED_CONTEXT = 2048

HANG = 120.0
"""Seconds after which a request that should have ended long ago counts as hanging."""


@dataclass(frozen=True)
class Subject:
    """An engine and what can be expected of it.

    Attributes:
        engine: The engine.
        context: Most tokens of prompt and completion together.
        logprobs: Whether it reports tokens with their log-probabilities.
        tolerance: By how much a log-probability may depend on what else runs: rounding.
        tokens_of_stop: Whether the tokens include those of a stop string that was cut off the text.
    """

    engine: Engine
    context: int
    logprobs: bool = True
    tolerance: float = 1e-3
    tokens_of_stop: bool = True


def simulated(kind: type[SimulatedEngine] = SimulatedEngine) -> SimulatedEngine:
    """Returns an engine that costs no computation, for tests of what stands around one."""
    # Steps so short that a solution fits where the contract expects a text to end by itself.
    writer = SolutionWriter(chat="deepseek-r1", step_tokens=20.0)
    return kind(writer, context=SIMULATED_CONTEXT, max_sequences=32, tick_base=0.002, tick_per_sequence=0.0)


async def complete(engine: Engine, request: Request) -> list[Completion]:
    """Returns the completions in the order of the seeds."""
    return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)


async def complete_all(engine: Engine, *requests: Request) -> list[list[Completion]]:
    """Sends all requests at once."""
    return await asyncio.gather(*(complete(engine, request) for request in requests))


def bare(completion: Completion) -> Completion:
    """Returns all of a completion that must be equal to the last character."""
    return replace(completion, tokens=None, index=0)


@asynccontextmanager
async def no_hang() -> AsyncIterator[None]:
    async with asyncio.timeout(HANG):
        yield
