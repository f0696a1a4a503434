"""Best-of-N: sample N solutions, judge each, take the best.

Source: Cobbe et al. 2021 (arXiv 2110.14168); with votes weighted by score, Li et al. 2023 (arXiv 2206.02336). GenPRM's
figures average {last, mean, min} x {argmax, weighted vote}.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from search.base import BaseStrategy
from search.search_tree import SearchTree
from tts.core.aggregate import check_aggregator
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import check_selection
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult, Solution
from tts.core.verifier import Verifier


class BestOfN(BaseStrategy):
    """Best-of-N.

    Args:
        n: Number of solutions.
        aggregator: How step scores make a solution's score, a key of `tts.core.aggregate.AGGREGATORS`; None for the
            verifier's published default.
        selection: `argmax` or `weighted_vote`.
    """

    verifies = True

    def __init__(self, n: int, aggregator: str | None = None, selection: str = "argmax") -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one sample is needed")
        if aggregator is not None:
            check_aggregator(aggregator, "search.aggregator")
        check_selection(selection, "search.selection")
        self.samples = n
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions."""
        return policy.token_bound(self.samples)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every solution the moment it lands and takes the best."""
        tree = SearchTree(problem, self._aggregator)

        async def judge(node: int) -> None:
            tree.judge(node, await verifier.verify(problem, tree.solution(node)))

        async with (
            asyncio.TaskGroup() as judging,
            aclosing(policy.solutions(problem, Solution(), self.samples)) as landing,
        ):
            async for solution in landing:
                judging.create_task(judge(tree.add(ROOT, solution)))
        return await tree.result(self._selection, grader)
