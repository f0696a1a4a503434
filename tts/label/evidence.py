"""What is known about the steps of a solution: counts of completions, and a verifier's scores. Labels derive from it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Count:
    """How many completions of a prefix, or samples of a problem, are right.

    Attributes:
        right: The right ones.
        total: All of them, those without an answer included; 0 if none were sampled.
    """

    right: int = 0
    total: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.right + other.right, self.total + other.total)

    @property
    def share(self) -> Fraction | None:
        """The share of right ones, exactly; None if there are none at all."""
        return Fraction(self.right, self.total) if self.total else None


@dataclass(frozen=True)
class Evidence:
    """The evidence on one solution.

    Attributes:
        start: Completions of the problem itself: its Pass@1, MC_0.
        counts: For each step the completions of the prefix that ends with it. The last step's is the solution itself:
            1 of 1 if it is right, 0 of 1 if it is wrong. Empty if no completions were sampled.
        scores: A verifier's scores, one per step, None where it gave none; fewer if it stopped at an error. Empty if
            no verifier was asked.
    """

    start: Count = Count()
    counts: tuple[Count, ...] = ()
    scores: tuple[float | None, ...] = ()

    @property
    def steps(self) -> int:
        """Number of steps that something is known about."""
        return max(len(self.counts), len(self.scores))
