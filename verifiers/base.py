"""What most verifiers have in common."""

from __future__ import annotations

from tts.core import Problem, Solution
from tts.core.traits import VerifierTraits


class BaseVerifier:
    """A verifier of one vote that generates nothing; subclasses define `verify`, and of the rest what they do otherwise.

    The interface is `tts.core.verifier.Verifier`.
    """

    traits: VerifierTraits = VerifierTraits()
    votes: int = 1

    def token_bound(self, steps: int) -> int | None:
        """Returns 0: nothing is generated."""
        return 0

    def check(self) -> None:
        """Nothing can be wrong."""

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """Returns None: no model reads anything."""
        return None
