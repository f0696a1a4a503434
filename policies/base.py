"""What most policies have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tts.core import Problem, Solution
from tts.core.errors import ProblemError
from tts.core.traits import PolicyTraits


class BasePolicy:
    """A policy of whole solutions; subclasses define `solutions`, and of the rest what they do otherwise.

    The interface is `tts.core.policy.Policy`.
    """

    traits: PolicyTraits = PolicyTraits(lacks=("steps", "revisions"))
    splits: bool = False

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Raises ProblemError: this policy writes whole solutions."""
        raise ProblemError(f"{type(self).__name__} does not go on from the beginning of a solution")

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Raises ProblemError: this policy reads no critiques."""
        raise ProblemError(f"{type(self).__name__} does not revise solutions")

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns None: no bound is known."""
        return None

    def check(self) -> None:
        """Nothing can be wrong."""
