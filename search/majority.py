"""Majority vote, or self-consistency: sample N solutions, take the most frequent answer.

Source: Wang et al. 2023 (arXiv 2203.11171).
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing

from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, SearchTree, Solution, Verifier
from tts.core.settings import PositiveInt


class Majority(BaseStrategy):
    """Majority vote over groups of equivalent answers.

    Args:
        n: Number of solutions.
        stop_when_settled: Whether to cancel samples that can no longer change the answer. The choice is the same, but the
            record holds fewer candidates, and metrics over all candidates (pass@1, oracle) cover only those that came first.
    """

    n: PositiveInt
    stop_when_settled: bool = False
    verifies = False

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples and votes; the verifier is not called."""
        tree = SearchTree(problem)
        async with aclosing(policy.solutions(problem, Solution(), self.n)) as solutions:
            async for solution in solutions:
                tree.add(ROOT, solution)
                if self.stop_when_settled and self._settled(await grader.group(tree.answers(grader))):
                    break
        return await tree.result("majority", grader)

    def _settled(self, groups: tuple[int | None, ...]) -> bool:
        """Whether the leading answer wins even if all other samples, including missing ones, agree on another."""
        votes = Counter(group for group in groups if group is not None)
        lead = max(votes.values(), default=0)
        return lead > votes.total() - lead + self.n - len(groups)
