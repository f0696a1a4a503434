"""A policy and a verifier whose every sample and score is given, in any order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from policies.base import BasePolicy
from tts.core import Problem, Solution, Verdict
from tts.tasks.grading import MathGrader
from verifiers.base import BaseVerifier


@dataclass
class GivenPolicy(BasePolicy):
    """Solutions `The answer is \\boxed{a}.`, landing in the order of `arrival`; an empty answer is a truncated one."""

    answers: Sequence[str]
    arrival: Sequence[int]
    splits: bool = False

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in self.arrival:
            await asyncio.sleep(0)
            answer = self.answers[index]
            text = f"The answer is \\boxed{{{answer}}}."
            yield Solution(text, (text,), "stop" if answer else "length", index)


@dataclass
class GivenVerifier(BaseVerifier):
    """Scores by solution index."""

    scores: Sequence[tuple[float | None, ...]]
    aggregator: str = "min"
    votes: int = 1
    asked: list[int] = field(default_factory=list)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        self.asked.append(solution.index)
        await asyncio.sleep(0)
        return Verdict(self.scores[solution.index], (), self.aggregator)


class PlainGrader(MathGrader):
    """Equal texts are equivalent: no worker process."""

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        seen: dict[str, int] = {}
        return tuple(None if a is None else seen.setdefault(a, len(seen)) for a in answers)
