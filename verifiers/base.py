"""The defaults shared by most verifiers."""

from __future__ import annotations

from tts.core import Problem, Solution, Verdict
from tts.core.traits import VerifierTraits
from tts.core.verifier import Verifier


class BaseVerifier:
    """A verifier with one vote that generates nothing; subclasses define `verify` and override the rest as needed.

    The interface is `tts.core.verifier.Verifier`.
    """

    traits: VerifierTraits = VerifierTraits()
    votes: int = 1

    async def vote(self: Verifier, problem: Problem, solution: Solution, number: int) -> Verdict:
        """Returns its verdict: it judges a solution always the same way."""
        return await self.verify(problem, solution)

    def token_bound(self, steps: int) -> int | None:
        """Returns 0: nothing is generated."""
        return 0

    def check(self) -> None:
        """Does nothing: there is no configuration to check."""

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """Returns None: no model reads anything."""
        return None
