"""Best-of-N: sample N solutions, judge each, take the best.

Source: Cobbe et al. 2021 (arXiv 2110.14168); with votes weighted by score, Li et al. 2023 (arXiv 2206.02336). GenPRM's
figures average {last, mean, min} x {argmax, weighted vote}.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from search.base import ROOT, Grader, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Solution, Verifier
from tts.core.settings import PositiveInt


class BestOfN(ScoredStrategy):
    """Best-of-N.

    Args:
        n: Number of solutions.
    """

    n: PositiveInt

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every solution as soon as it is sampled and selects the best."""
        tree = SearchTree(problem, self.aggregator)

        async def judge(node: int) -> None:
            tree.judge(node, await verifier.verify(problem, tree.solution(node)))

        async with (
            asyncio.TaskGroup() as judging,
            aclosing(policy.solutions(problem, Solution(), self.n)) as solutions,
        ):
            async for solution in solutions:
                judging.create_task(judge(tree.add(ROOT, solution)))
        return await tree.result(self.selection, grader)
