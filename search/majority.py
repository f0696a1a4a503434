"""Majority vote, or self-consistency: sample N solutions, take the most frequent answer.

Source: Wang et al. 2023 (arXiv 2203.11171).
"""

from __future__ import annotations

from policies.base import Policy
from search.base import answer_of
from search.tree import star
from tts.errors import UserError
from tts.tasks.grading import Grader
from tts.types import Candidate, Problem, SearchResult, Solution
from tts.voting import plurality
from verifiers.base import Verifier


class Majority:
    """Majority vote over groups of equivalent answers.

    Args:
        n: Number of solutions.
    """

    verifies = False

    def __init__(self, n: int) -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one sample is needed")
        self.samples = n

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples and votes; the verifier is not asked."""
        solutions = [solution async for solution in policy.solutions(problem, Solution(), self.samples)]
        candidates = tuple(Candidate(s, answer_of(s)) for s in sorted(solutions, key=lambda solution: solution.index))
        groups = await grader.group([candidate.answer for candidate in candidates])
        winner = plurality(groups)
        chosen = None if winner is None else groups.index(winner)
        return SearchResult(chosen, candidates, groups, star(problem, candidates, chosen))
