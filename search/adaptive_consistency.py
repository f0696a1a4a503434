"""Adaptive consistency: majority vote that stops sampling when the leading answer is settled.

Source: Aggarwal et al. 2023 (arXiv 2305.11860), sec. 3; Pranjal2041/AdaptiveConsistency at 55bd007. Different from the
latter: the probabilities are computed and not estimated (the Dirichlet rule over all answers, not the commonest five), a
sample without an answer is no vote, and samples are drawn some at a time but looked at one by one in the order of their
numbers, so that where the search stops does not depend on which of them lands first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing

from search.base import BaseStrategy
from search.dirichlet import confidence
from search.search_tree import SearchTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult, Solution
from tts.core.verifier import Verifier

RULES: dict[str, int | None] = {"beta": 2, "dirichlet": None}
"""How many of the commonest answers a rule compares; None for all."""


class AdaptiveConsistency(BaseStrategy):
    """Majority vote over as many samples as it takes.

    Args:
        n: Most solutions; the paper's is 40.
        rule: `beta` compares the leading answer with the next, `dirichlet` with all others.
        threshold: Stop where the leading answer is the likeliest with at least this probability; 1 never stops. An answer
            that was not drawn yet counts for nothing, so below 0.9 the rule is less often right than it says.
        window: Samples drawn at a time: those that are in flight when the search stops are cancelled. 1 is the paper's.
    """

    verifies = False

    def __init__(self, n: int, rule: str = "beta", threshold: float = 0.95, window: int = 4) -> None:
        for key, number in (("n", n), ("window", window)):
            if number < 1:
                raise UserError(f"search.{key}={number}: at least one sample is needed")
        if rule not in RULES:
            raise UserError(f"search.rule={rule}: choose one of {', '.join(RULES)}")
        if not 0.5 < threshold <= 1:
            raise UserError(f"search.threshold={threshold}: a probability above 0.5 and at most 1, which never stops")
        self.samples = n
        self._compared = RULES[rule]
        self._threshold = threshold
        self._window = window

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions."""
        return policy.token_bound(self.samples)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Keeps a window of samples in flight until the answer is settled; the verifier is not asked."""
        tree = SearchTree(problem)

        async def draw(index: int) -> list[Solution]:
            async with aclosing(policy.solutions(problem, Solution(), 1, index)) as landing:
                return [solution async for solution in landing]

        async with asyncio.TaskGroup() as sampling:
            tasks = [sampling.create_task(draw(index)) for index in range(min(self._window, self.samples))]
            for index in range(self.samples):
                for solution in await tasks[index]:  # none where the budget is used up
                    tree.add(ROOT, solution)
                if self._settled(await grader.group(tree.answers(grader))):
                    break
                if len(tasks) < self.samples:
                    tasks.append(sampling.create_task(draw(len(tasks))))
            for task in tasks:
                task.cancel()
        return await tree.result("majority", grader)

    def _settled(self, groups: tuple[int | None, ...]) -> bool:
        votes = Counter(group for group in groups if group is not None)
        counts = sorted(votes.values(), reverse=True)[: self._compared]
        return bool(counts) and confidence((*counts, 0)[: max(2, len(counts))]) >= self._threshold
