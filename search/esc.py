"""Early-stopping self-consistency: samples come in windows, and a window of one mind ends the search.

Source: Li et al. 2024 (arXiv 2401.10480): stop after a window whose answers are all the same, else after n samples; the
majority of all samples is the answer. Here a sample without an answer agrees with none.
"""

from __future__ import annotations

from contextlib import aclosing

from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, SearchTree, Solution, Verifier
from tts.core.settings import PositiveInt


class ESC(BaseStrategy):
    """Majority vote over windows of samples, until one is unanimous.

    Args:
        n: Maximum number of solutions.
        window: Solutions sampled at a time; with 1 the first answer ends the search.
    """

    n: PositiveInt
    window: PositiveInt = 5
    verifies = False

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples window by window; the verifier is not called."""
        tree = SearchTree(problem)
        for first in range(0, self.n, self.window):
            asked = min(self.window, self.n - first)
            async with aclosing(policy.solutions(problem, Solution(), asked, first)) as solutions:
                nodes = [tree.add(ROOT, solution) async for solution in solutions]
            groups = set(await grader.group([grader.answer(tree.solution(node)) for node in nodes]))
            if len(nodes) < asked or (len(groups) == 1 and None not in groups):  # or the budget is used up
                break
        return await tree.result("majority", grader)
