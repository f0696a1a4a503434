"""Majority vote, or self-consistency: sample N solutions, take the most frequent answer.

Source: Wang et al. 2023 (arXiv 2203.11171).
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing

from search.base import BaseStrategy
from search.search_tree import SearchTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult, Solution
from tts.core.verifier import Verifier


class Majority(BaseStrategy):
    """Majority vote over groups of equivalent answers.

    Args:
        n: Number of solutions.
        stop_when_settled: Whether to cancel the samples that can no longer change the answer. The choice is the same; the
            record then holds fewer candidates, and figures over all of them (pass@1, oracle) are of those that landed first.
    """

    verifies = False

    def __init__(self, n: int, stop_when_settled: bool = False) -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one sample is needed")
        self.samples = n
        self._stop_when_settled = stop_when_settled

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions."""
        return policy.token_bound(self.samples)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples and votes; the verifier is not asked."""
        tree = SearchTree(problem)
        async with aclosing(policy.solutions(problem, Solution(), self.samples)) as landing:
            async for solution in landing:
                tree.add(ROOT, solution)
                if self._stop_when_settled and self._settled(await grader.group(tree.answers(grader))):
                    break
        return await tree.result("majority", grader)

    def _settled(self, groups: tuple[int | None, ...]) -> bool:
        """Whether the leading answer wins even if all other samples, the missing ones too, should agree on another."""
        votes = Counter(group for group in groups if group is not None)
        lead = max(votes.values(), default=0)
        return lead > votes.total() - lead + self.samples - len(groups)
