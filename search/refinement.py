"""Chains: a solution is judged, and while one of its steps is found wrong the next solution takes its place.

What `critique_refine` and its control `resample` share; they differ in where the next solution comes from.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing

from search.base import BaseStrategy
from search.search_tree import SearchTree
from tts.core.aggregate import check_aggregator
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import argmax, check_selection
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult, Solution, Verdict
from tts.core.verifier import Verifier

_KEEP = ("last", "best")


class Refinement(BaseStrategy, ABC):
    """Parallel chains of solutions.

    Args:
        n: Number of chains.
        turns: T, how many solutions may follow a chain's first.
        threshold: A step with a score below it is wrong; a chain ends with a solution that has no such step.
        keep: What a chain hands to the final choice: its `last` finished solution, or its `best` by score.
        aggregator: How step scores make a solution's score; None for the verifier's published default.
        selection: How one of the chains' solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    verifies = True
    kind = ""
    """How the tree tells a chain's next solution from its first; see `SearchTree.add`."""

    def __init__(
        self,
        n: int,
        turns: int,
        threshold: float = 0.5,
        keep: str = "last",
        aggregator: str | None = None,
        selection: str = "argmax",
    ) -> None:
        for key, number in (("n", n), ("turns", turns)):
            if number < 1:
                raise UserError(f"search.{key}={number}: at least 1 is needed")
        if not 0 < threshold <= 1:
            raise UserError(f"search.threshold={threshold}: it must be more than 0 and at most 1")
        if keep not in _KEEP:
            raise UserError(f"search.keep={keep}: choose one of {', '.join(_KEEP)}")
        if aggregator is not None:
            check_aggregator(aggregator, "search.aggregator")
        check_selection(selection, "search.selection")
        self.samples = n * (1 + turns)
        self._n, self._turns, self._threshold, self._keep = n, turns, threshold, keep
        self._aggregator, self._selection = aggregator, selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions and their T successors each."""
        return policy.token_bound(self.samples)

    @abstractmethod
    def following(
        self, problem: Problem, policy: Policy, solution: Solution, verdict: Verdict, wrong: int, index: int
    ) -> AsyncGenerator[Solution, None]:
        """Yields the solution that comes after `solution`, whose step `wrong` (0-based) is wrong; at most one.

        Args:
            problem: The problem.
            policy: The policy.
            solution: The chain's latest solution.
            verdict: The verdict on it.
            wrong: Its first wrong step.
            index: A sample index that no other solution of the search has.
        """

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain on its own from the moment its first solution lands."""
        tree = SearchTree(problem, self._aggregator)

        async def run(node: int) -> int:
            chain, number = [node], tree.solution(node).index
            for turn in range(1, self._turns + 2):
                solution = tree.solution(chain[-1])
                verdict = await verifier.verify(problem, solution)
                tree.judge(chain[-1], verdict)
                wrong = verdict.first_error(self._threshold)
                if wrong is None or turn > self._turns:
                    break
                # Every turn of every chain has an index of its own: two chains that come to the same text go apart again,
                # and one that is given its own text back does not stand still.
                index = turn * self._n + number
                async with aclosing(self.following(problem, policy, solution, verdict, wrong, index)) as landing:
                    async for new in landing:
                        chain.append(tree.add(chain[-1] if self.kind else ROOT, new, self.kind))
                if tree.solution(chain[-1]) is solution:  # the budget is used up
                    break
            return self._kept(tree, chain, grader)

        async with (
            asyncio.TaskGroup() as running,
            aclosing(policy.solutions(problem, Solution(), self._n)) as landing,
        ):
            chains = [running.create_task(run(tree.add(ROOT, solution))) async for solution in landing]
        return await tree.result(self._selection, grader, [chain.result() for chain in chains])

    def _kept(self, tree: SearchTree, chain: list[int], grader: Grader) -> int:
        """Returns what the chain hands on: a revision cut at a length limit does not replace a finished solution."""
        if self._keep == "last":
            return next((node for node in reversed(chain) if tree.solution(node).finished), chain[-1])
        answered = [None if grader.answer(tree.solution(node)) is None else 0 for node in chain]
        best = argmax([tree.score(node) for node in chain], answered)
        return chain[best or 0]
