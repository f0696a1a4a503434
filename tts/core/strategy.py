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

    A strategy is straight-line asynchronous code: it never batches, counts tokens, retries, caches or schedules, and
    never checks which policy or verifier it has. It declares its requirements in `needs`; policies and verifiers that
    lack them are refused before anything is computed. Its settings are its constructor's parameters; one called `seed`
    receives the run's seed. Derive your own strategy from `search.base.BaseStrategy`, which has defaults for the
    members that rarely change.
    """

    @property
    def needs(self) -> Needs:
        """Its requirements beyond whole solutions and scores for them."""

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Searches for the problem's answer.

        Args:
            problem: The problem.
            policy: Proposes solutions.
            verifier: Judges them.
            grader: Extracts answers and tells which are equivalent.

        Raises:
            EngineError: An engine failed permanently.
        """

    @property
    def samples(self) -> int:
        """Maximum number of solutions that it samples for a problem."""

    def token_bound(self, policy: Policy) -> int | None:
        """Returns an upper bound of the policy's completion tokens for a problem, None if there is none."""

    @property
    def verifies(self) -> bool:
        """Whether it uses the verifier."""
