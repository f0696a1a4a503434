"""Policies and verifiers of a caller's own, which need no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from policies.base import BasePolicy
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.traits import PolicyTraits, VerifierTraits
from verifiers.base import BaseVerifier

DEPTH = 3


class Writer(BasePolicy):
    """Writes three steps; the last has the sample's number as its answer. Counts what is being written."""

    traits = PolicyTraits(lacks=("revisions",))
    splits = True

    def __init__(self, hold: asyncio.Event | None = None) -> None:
        self.hold = hold
        self.begun = asyncio.Event()
        self.writing = 0

    async def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution]:
        async for solution in self._written(prefix, n, first, DEPTH):
            yield solution

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution]:
        async for solution in self._written(prefix, n, first, len(prefix.steps) + 1):
            yield solution

    async def _written(self, prefix: Solution, n: int, first: int, depth: int) -> AsyncGenerator[Solution]:
        self.writing += 1
        self.begun.set()
        try:
            for index in range(first, first + n):
                await (asyncio.sleep(0) if self.hold is None else self.hold.wait())
                more = [f"{index} of {step}" for step in range(len(prefix.steps), depth)]
                whole = depth == DEPTH
                steps = (*prefix.steps, *more[:-1], *([f"\\boxed{{{index}}}"] if whole else more[-1:]))
                yield Solution("\n\n".join(steps), steps, "stop" if whole else "step", index, len(steps))
        finally:
            self.writing -= 1


class Long(BaseVerifier):
    """Scores each step by its length and says so."""

    traits = VerifierTraits()

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        await asyncio.sleep(0)
        scores = tuple(1 / (1 + len(step)) for step in solution.steps)
        return Verdict(scores, (Vote(scores, solution.steps),))


class Returning(BaseVerifier):
    """Returns whatever it is given, right or wrong."""

    def __init__(self, value: object) -> None:
        self.value = value

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return self.value  # type: ignore[return-value]
