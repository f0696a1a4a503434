"""The interface of search strategies and what they share."""

from __future__ import annotations

from typing import Protocol

from policies.base import Policy
from tts.tasks.answers import extract_answer
from tts.tasks.grading import Grader
from tts.types import Problem, SearchResult, Solution
from verifiers.base import Verifier


class SearchStrategy(Protocol):
    """Spends a budget of samples and verifications on one problem.

    A strategy is straight-line asynchronous code: it never batches, counts tokens, retries, caches or schedules, and never
    asks which policy or verifier it holds.
    """

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Searches for the problem's answer.

        Args:
            problem: The problem.
            policy: Proposes.
            verifier: Judges.
            grader: Says which answers are equivalent; it must not be asked which are right.

        Raises:
            EngineError: An engine failed for good.
        """

    @property
    def samples(self) -> int:
        """The most solutions that it samples for a problem."""

    @property
    def verifies(self) -> bool:
        """Whether it asks the verifier at all."""


def answer_of(solution: Solution) -> str | None:
    """Returns a solution's final answer, None where it has none or is not finished."""
    return extract_answer(solution.text) if solution.finished else None
