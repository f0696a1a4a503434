"""The defaults shared by most policies."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tts.core import Problem, Solution
from tts.core.errors import ProblemError
from tts.core.traits import PolicyTraits


class BasePolicy:
    """A policy of whole solutions; subclasses define `solutions` and override the rest as needed.

    The interface is `tts.core.policy.Policy`.
    """

    traits: PolicyTraits = PolicyTraits(lacks=("steps", "revisions"))
    splits: bool = False

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Raises ProblemError: this policy writes whole solutions."""
        raise ProblemError(f"{type(self).__name__} cannot continue a partial solution")

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Raises ProblemError: this policy reads no critiques."""
        raise ProblemError(f"{type(self).__name__} does not revise solutions")

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns None: no bound is known."""
        return None

    def check(self) -> None:
        """Does nothing: there is no configuration to check."""
