"""Traces of numbered steps, and a verifier that scores them as a test says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from hypothesis import strategies as st

from policies.base import BasePolicy
from tts.core import Problem, Solution, Verdict
from tts.core.traits import PolicyTraits
from verifiers.base import BaseVerifier

FORCE = "\n\nFinal Answer: \\boxed{"


@dataclass
class Traces(BasePolicy):
    """Traces of numbered steps: trace i thinks `thoughts[i][k]` at step k and ends by saying it.

    Attributes:
        thoughts: A trace's answer at every step.
        cuts: Traces that are cut at a token limit instead of ending.
        asked: Steps that were written, by trace.
        probes: How often a trace was asked for its answer.
    """

    thoughts: list[list[str]]
    cuts: frozenset[int] = frozenset()
    latency: int = 0
    limit: int = 1_000_000
    asked: Counter[int] = field(default_factory=Counter)
    probes: int = 0
    traits = PolicyTraits()

    def trace(self, index: int, length: int) -> Solution:
        thoughts = self.thoughts[index]
        steps = [f"trace {index} step {k}" for k in range(length)]
        ends = length == len(thoughts)
        if ends and index not in self.cuts:
            steps[-1] += f" \\boxed{{{thoughts[-1]}}}"
        reason = ("length" if index in self.cuts else "stop") if ends else "step"
        return Solution("\n\n".join(steps), tuple(steps), reason, index, length)  # type: ignore[arg-type]

    async def _pass_by(self, *about: object) -> bool:
        for _ in range(random.Random(f"{self.latency} {about}").randrange(6)):
            await asyncio.sleep(0)
        return self.asked.total() >= self.limit

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        if prefix.text.endswith(FORCE):
            number, length = int(prefix.text.split()[1]), len(prefix.steps)
            self.probes += 1
            yield Solution(f"{prefix.text}{self.thoughts[number][length - 1]}}}", prefix.steps, "step", first)
            return
        for index in range(first, first + n):
            number = int(prefix.text.split()[1]) if prefix.text else index
            if await self._pass_by(index, len(prefix.steps)):
                return
            self.asked[number] += 1
            yield self.trace(number, len(prefix.steps) + 1)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            if await self._pass_by(index):
                return
            self.asked[index] += len(self.thoughts[index])
            yield self.trace(index, len(self.thoughts[index]))


@dataclass
class Levels(BaseVerifier):
    """Scores a prefix of trace i by the lowest of `levels[i]` so far."""

    levels: list[list[float]]

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        number = int(solution.text.split()[1])
        return Verdict((min(self.levels[number][: len(solution.steps)]),))


@st.composite
def traces_(draw: st.DrawFn, most: int = 8) -> list[list[str]]:
    thoughts = st.lists(st.sampled_from(["1", "1", "2", "3"]), min_size=1, max_size=5)
    return draw(st.lists(thoughts, min_size=1, max_size=most))
