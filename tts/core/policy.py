"""The interface of policies: they propose solutions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution
from tts.core.traits import PolicyTraits

GREEDY = -1
"""Index of the greedy sample: the likeliest token at every position. Only requested alone (`n` = 1)."""


class Policy(Protocol):
    """Proposes solutions. Closing an iterator before its end (`contextlib.aclosing`) cancels its pending samples.

    Samples are numbered: the sample `index` of a prefix depends only on the prefix, the index and the run's seed, so a
    later request can continue where an earlier one ended (`first`), and a repeated request gives the same samples.
    `GREEDY` is the index of the greedy sample; a policy without one may return any other, always the same.

    It declares in `traits` what it cannot do; a strategy that needs it is refused before anything is computed. Derive
    your own policy from `policies.base.BasePolicy`, which has defaults for the members that rarely change.
    """

    @property
    def traits(self) -> PolicyTraits:
        """Its traits."""

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields `n` completions of `prefix` as whole solutions, each as it finishes.

        Args:
            problem: The problem.
            prefix: The solution so far; `Solution()` for none.
            n: Number of solutions.
            first: Index of the first sample.

        Raises:
            EngineError: The engine failed permanently.
        """

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields `n` solutions that extend `prefix` by one step, each as it finishes; arguments as for `solutions`."""

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields `n` new solutions written after reading a critique of `solution`, each as it finishes.

        Args:
            problem: The problem.
            solution: The criticised solution.
            critique: The critique as the policy will read it, including its quotation of the step.
            n: Number of solutions.
            first: Index of the first sample.
        """

    @property
    def splits(self) -> bool:
        """Whether its solutions are split into steps by a separator that the configuration names."""

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns an upper bound of a problem's completion tokens, None if there is none.

        Args:
            n: Number of sampled solutions.
            steps: None if they are sampled whole, else how many times `n` solutions are extended by a step.
        """

    def check(self) -> None:
        """Raises UserError if the configuration cannot work; loads no weights."""
