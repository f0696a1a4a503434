"""A problem small enough to say exactly what refinement makes of it: solutions whose steps are right or wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tts.core import FinishReason, Problem, SearchResult, Solution, Verdict, Vote

PROBLEM = Problem("p", "?", "0")
CRITIQUE = (
    "<analyze>\nLet's analyze the Paragraph {0} step by step: step {0} is wrong: see above</analyze>\n"
    "<verify>\nLet's use python code to find any potential error:\n```python\nprint(1)\n```\n[Code Output]\n\n```\n1\n```\n"
    "</verify>\n<output>\n**Judgement**: $\\boxed{{No}}$\n</output>\n"
)

Marks = tuple[bool, ...]
"""Which of a solution's steps are right."""


def written(marks: Marks, index: int = 0, finish_reason: FinishReason = "stop") -> Solution:
    r"""Returns the solution with these steps; its answer is the number of wrong ones, so that `\boxed{0}` is right."""
    steps = [f"step {number}: {'right' if mark else 'wrong'}" for number, mark in enumerate(marks, 1)]
    steps[-1] += f". The answer is \\boxed{{{marks.count(False)}}}."
    return Solution("\n\n".join(steps), tuple(steps), finish_reason, index, tokens=len(marks))


def marks_of(solution: Solution) -> Marks:
    return tuple("right" in step for step in solution.steps)


class Latencies:
    """Lets others go first, differently often for each seed."""

    def __init__(self, seed: int | None) -> None:
        self._rng = random.Random(seed)
        self._most = 0 if seed is None else 6

    async def pass_by(self) -> None:
        for _ in range(self._rng.randint(0, self._most)):
            await asyncio.sleep(0)


@dataclass
class Editor:
    """Draws the given solutions, and mends exactly the step that a critique names as wrong; no other.

    Attributes:
        drafts: Steps of sample k of the problem.
        latencies: How long each sample takes.
        most: How many samples the budget allows.
        cuts: Indices of revisions that are cut at a token limit.
        asked: What was asked for: the text and message that were read, and the sample's index.
    """

    drafts: Sequence[Marks]
    latencies: Latencies = field(default_factory=lambda: Latencies(None))
    most: int = 1_000_000
    cuts: Iterable[int] = ()
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    splits: bool = True

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        assert not prefix.text
        indices = list(range(first, first + n))
        self.latencies._rng.shuffle(indices)
        for index in indices:
            if len(self.asked) >= self.most:
                return
            self.asked.append(("", "", index))
            await self.latencies.pass_by()
            yield written(self.drafts[index], index)

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            if len(self.asked) >= self.most:
                return
            self.asked.append((solution.text, critique, index))
            await self.latencies.pass_by()
            yield self.answer(solution, critique, index)

    def answer(self, solution: Solution, critique: str, index: int) -> Solution:
        marks = tuple(
            mark or f"step {number} is wrong" in critique for number, mark in enumerate(marks_of(solution), 1)
        )
        return written(marks, index, "length" if index in self.cuts else "stop")


class SelfCritic(Editor):
    """An editor that, asked to check its solution, says which step is the first wrong one."""

    def answer(self, solution: Solution, critique: str, index: int) -> Solution:
        if not critique.startswith("Check your solution"):
            return super().answer(solution, critique, index)
        marks = marks_of(solution)
        text = "So far, it is CORRECT." if all(marks) else f"step {marks.index(False) + 1} is wrong"
        return Solution(text, (text,), "stop", index)


@dataclass
class Judge:
    """Knows which steps are right and says so in the form of GenPRM's critiques.

    Attributes:
        latencies: How long each verdict takes.
        most: How many verdicts the budget allows.
        scores: What right and wrong steps score.
        asked: The judged texts.
    """

    latencies: Latencies = field(default_factory=lambda: Latencies(None))
    most: int = 1_000_000
    scores: tuple[float, float] = (1.0, 0.0)
    asked: list[str] = field(default_factory=list)
    votes: int = 1

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        if len(self.asked) >= self.most:
            return Verdict((None,) * len(solution.steps))
        self.asked.append(solution.text)
        await self.latencies.pass_by()
        scores = tuple(self.scores[0] if mark else self.scores[1] for mark in marks_of(solution))
        critiques = tuple(CRITIQUE.format(number) for number in range(1, len(scores) + 1))
        return Verdict(scores, (Vote(scores, critiques),), "mean")


def timeless(result: SearchResult) -> list[Any]:
    """Returns all of a result that must not depend on when things landed."""
    nodes = tuple(replace(node, landed_s=0.0, judged_s=None) for node in result.tree.nodes)
    return [result.chosen, result.candidates, result.groups, replace(result.tree, nodes=nodes)]
