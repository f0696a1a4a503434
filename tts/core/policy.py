"""The interface of policies: they propose solutions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution
from tts.core.traits import PolicyTraits

GREEDY = -1
"""Number of the sample that is not drawn at random: at every token the likeliest. Asked for alone (`n` = 1)."""


class Policy(Protocol):
    """Proposes solutions. Closing an iterator before its end (`contextlib.aclosing`) cancels what it still waits for.

    Samples are numbered: the sample `index` of a prefix is fixed by the prefix, the index and the run's seed, so asking
    for more of them later goes on where the first request ended (`first`), and asking again gives the same. Number `GREEDY`
    is the greedy one; a policy that has no such thing may give any other for it, always the same.

    What it cannot do it declares in `traits`; a strategy that needs that is refused before anything is computed. A policy of
    one's own best derives from `policies.base.BasePolicy`, which has the members that few need to change.
    """

    @property
    def traits(self) -> PolicyTraits:
        """What it is like."""

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields `n` solutions that go on from `prefix` to their end, each as it lands.

        Args:
            problem: The problem.
            prefix: What is there already; `Solution()` for nothing.
            n: How many.
            first: Index of the first sample.

        Raises:
            EngineError: The engine failed for good.
        """

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields `n` solutions that go on from `prefix` by one step, each as it lands; arguments as for `solutions`."""

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields `n` new solutions written after reading a critique of `solution`, each as it lands.

        Args:
            problem: The problem.
            solution: The criticised solution.
            critique: The critique as the policy is to read it, with its quotation of the step.
            n: How many.
            first: Index of the first sample.
        """

    @property
    def splits(self) -> bool:
        """Whether its solutions are cut into steps by a separator that the configuration names."""

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns the most completion tokens that a problem can take, None where there is no bound.

        Args:
            n: How many solutions are sampled.
            steps: None where they are sampled whole, else how many times `n` solutions go on by a step.
        """

    def check(self) -> None:
        """Raises UserError where the configuration cannot work; loads no weights."""
