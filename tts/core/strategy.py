"""The interface of search strategies: they spend compute on one problem."""

from __future__ import annotations

from typing import Protocol

from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.problem import Problem
from tts.core.result import SearchResult
from tts.core.traits import Needs
from tts.core.verifier import Verifier


class SearchStrategy(Protocol):
    """Spends a budget of samples and verifications on one problem.

    A strategy is straight-line asynchronous code: it never batches, counts tokens, retries, caches or schedules, and never
    asks which policy or verifier it holds. What it needs of them it declares in `needs`; who lacks that is refused before
    anything is computed. Its settings are its constructor's parameters; one called `seed` receives the run's seed. A
    strategy of one's own best derives from `search.base.BaseStrategy`, which has the members that few need to change.
    """

    @property
    def needs(self) -> Needs:
        """What it needs beyond solutions from the start and scores for them."""

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Searches for the problem's answer.

        Args:
            problem: The problem.
            policy: Proposes.
            verifier: Judges.
            grader: Says what the answers are, and which are equivalent.

        Raises:
            EngineError: An engine failed for good.
        """

    @property
    def samples(self) -> int:
        """The most solutions that it samples for a problem."""

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the most completion tokens that the policy samples for a problem, None where there is no bound."""

    @property
    def verifies(self) -> bool:
        """Whether it asks the verifier at all."""
