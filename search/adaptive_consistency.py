"""Adaptive consistency: majority vote that stops sampling when the leading answer is settled.

Source: Aggarwal et al. 2023 (arXiv 2305.11860), sec. 3; Pranjal2041/AdaptiveConsistency at 55bd007. Differences from the
latter: the probabilities are computed exactly instead of estimated (the Dirichlet rule covers all answers, not the five
most frequent); a sample without an answer does not vote; several samples are drawn concurrently but counted in index
order, so that the stopping point does not depend on which of them arrives first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import Annotated

from annotated_types import Interval

from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, SearchTree, Solution, Verifier
from search.dirichlet import confidence
from tts.core.settings import OneOf, PositiveInt

STOPPING_RULES: dict[str, int | None] = {"beta": 2, "dirichlet": None}
"""How many of the most frequent answers a rule compares; None for all."""


class AdaptiveConsistency(BaseStrategy):
    """Majority vote over as many samples as it takes.

    Args:
        n: Maximum number of solutions; 40 in the paper.
        rule: `beta` compares the leading answer with the next, `dirichlet` with all others.
        threshold: Stop when the leading answer is the most probable one with at least this probability; 1 never stops.
            Answers not yet drawn are ignored, so below 0.9 the rule is right less often than this value says.
        window: Samples in flight at a time; those unfinished when the search stops are cancelled. 1 in the paper.
    """

    n: PositiveInt
    rule: Annotated[str, OneOf(STOPPING_RULES)] = "beta"
    threshold: Annotated[float, Interval(gt=0.5, le=1)] = 0.95
    window: PositiveInt = 4
    verifies = False

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Keeps a window of samples in flight until the answer is settled; the verifier is not called."""
        tree = SearchTree(problem)

        async def draw(index: int) -> list[Solution]:
            async with aclosing(policy.solutions(problem, Solution(), 1, index)) as solutions:
                return [solution async for solution in solutions]

        async with asyncio.TaskGroup() as sampling:
            tasks = [sampling.create_task(draw(index)) for index in range(min(self.window, self.n))]
            for index in range(self.n):
                for solution in await tasks[index]:  # none if the budget is used up
                    tree.add(ROOT, solution)
                if self._settled(await grader.group(tree.answers(grader))):
                    break
                if len(tasks) < self.n:
                    tasks.append(sampling.create_task(draw(len(tasks))))
            for task in tasks:
                task.cancel()
        return await tree.result("majority", grader)

    def _settled(self, groups: tuple[int | None, ...]) -> bool:
        votes = Counter(group for group in groups if group is not None)
        counts = sorted(votes.values(), reverse=True)[: STOPPING_RULES[self.rule]]
        return bool(counts) and confidence((*counts, 0)[: max(2, len(counts))]) >= self.threshold
