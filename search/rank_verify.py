"""Rank and verify: a cheap score ranks the candidates, the verifier looks at the best few, until one passes.

Source: ADAP (arXiv 2605.17609; its abstract and the rule in it). Shell j has `pool` 2^j candidates, all ranked by the
cheap score, and the verifier judges the `tail` 2^j best of them that it has not judged. The search ends with the first
candidate that passes, or with the shell that holds all n. So an easy problem costs a few samples and one verification, and
a hard one at most a constant factor more than the shell in which it is solved.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing

from search.base import ROOT, Grader, Needs, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Verifier
from tts.core import Solution
from tts.core.aggregate import aggregate
from tts.core.settings import PositiveInt, PositiveProbability, SettingError
from tts.runtime.guards import CheckedVerifier


class RankVerify(ScoredStrategy):
    """Draws, ranks and verifies in shells, each twice as large as the one before.

    Args:
        n: Maximum number of solutions.
        ranker: The verifier that ranks, by its own aggregator; its cost is charged to the role `ranker`.
        pool: Number of solutions in the first shell.
        tail: Number of them that the verifier judges there.
        threshold: A solution whose score reaches it passes.
    """

    n: PositiveInt
    ranker: Verifier
    pool: PositiveInt = 4
    tail: PositiveInt = 1
    threshold: PositiveProbability = 0.5

    guided = True
    """How many solutions are drawn depends on their scores."""

    def __post_init__(self) -> None:
        """Checks that no more is verified than drawn."""
        if self.tail > self.pool:
            raise SettingError("tail", f"at most pool={self.pool} solutions can be verified", str(self.tail))
        self._ranker = CheckedVerifier(self.ranker)

    @property
    def needs(self) -> Needs:
        """What the ranking needs of the policy."""
        return Needs(logprobs=self.ranker.traits.logprobs)

    @property
    def runs_code(self) -> bool:
        """Whether the ranking runs code."""
        return self.ranker.traits.runs_code

    @property
    def told_answers(self) -> bool:
        """Whether the ranking reads the reference answers."""
        return self.ranker.traits.reads_answers

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows the pool until a solution passes; verifies one solution at a time, the best of the ranking first."""
        tree = SearchTree(problem, self.aggregator)
        pool: dict[int, float] = {}
        judged: set[int] = set()

        async def rank(node: int, solution: Solution) -> None:
            verdict = await self._ranker.verify(problem, solution)
            score = aggregate(verdict.scores, verdict.aggregator)
            if score is not None:
                tree.note(node, rank=score)
            pool[node] = -math.inf if score is None else score

        async def passes(node: int) -> bool:
            judged.add(node)
            score = tree.judge(node, await verifier.verify(problem, tree.solution(node)))
            return score is not None and score >= self.threshold

        size, tail = min(self.pool, self.n), self.tail
        while True:
            async with (
                asyncio.TaskGroup() as ranking,
                aclosing(policy.solutions(problem, Solution(), size - len(pool), len(pool))) as solutions,
            ):
                async for solution in solutions:
                    ranking.create_task(rank(tree.add(ROOT, solution), solution))
            left = [node for node in pool if node not in judged and grader.answer(tree.solution(node)) is not None]
            left.sort(key=lambda node: (-pool[node], tree.path(node)))
            for node in left[:tail]:
                if await passes(node):
                    return await tree.result(self.selection, grader)
            if size >= self.n or len(pool) < size:  # everything, or the budget is used up
                return await tree.result(self.selection, grader)
            size, tail = min(2 * size, self.n), 2 * tail
