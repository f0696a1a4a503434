"""The defaults shared by most verifiers."""

from __future__ import annotations

from tts.core import Problem, Solution
from tts.core.traits import VerifierTraits


class BaseVerifier:
    """A verifier with one vote that generates nothing; subclasses define `verify` and override the rest as needed.

    The interface is `tts.core.verifier.Verifier`.
    """

    traits: VerifierTraits = VerifierTraits()
    votes: int = 1

    def token_bound(self, steps: int) -> int | None:
        """Returns 0: nothing is generated."""
        return 0

    def check(self) -> None:
        """Does nothing: there is no configuration to check."""

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """Returns None: no model reads anything."""
        return None
