"""Balanced samples of a policy: as many right as wrong solutions of a problem, as far as it has both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from tts.budget import LimitReached, current
from tts.core import Problem, Solution
from tts.core.errors import ProblemError
from tts.core.policy import Policy
from tts.core.settings import PositiveInt, refused, settings
from tts.label.evidence import Count

Skipped = Literal["hard", "easy"]
"""Why a problem has no labels: no solution is right, or none is wrong."""

Right = Callable[[Sequence[Solution]], Awaitable[list[bool | None]]]
"""Returns whether each solution is right."""


@dataclass(frozen=True)
class Samples:
    """The samples of a problem.

    Attributes:
        right: Number of right ones.
        wrong: Number of wrong ones.
        invalid: Number of those that are unfinished, or have no answer.
        kept: The solutions to label, in the order of their index.
        labels: Whether each is right; None if there is no reference answer.
        skipped: Why none is kept, None if some are.
    """

    right: int
    wrong: int
    invalid: int
    kept: tuple[Solution, ...]
    labels: tuple[bool | None, ...]
    skipped: Skipped | None

    @property
    def count(self) -> Count:
        """The right ones among all."""
        return Count(self.right, self.right + self.wrong + self.invalid)


@settings
class Sampling:
    """Samples in batches until half of the solutions to keep are right and half are wrong.

    Source: GenPRM (arXiv 2504.00891): 16 + 16 samples, then batches of 16 up to 2,048, keeping 16, half of them right;
    where one side has too few, the other fills up. Problems without a right solution (`hard`) or a wrong one (`easy`) are
    skipped.
    Unfinished solutions and those without an answer are invalid: never kept, but counted in Pass@1.

    Args:
        keep: Solutions to keep of a problem. None: all valid ones of the first batch, of every problem.
        first: Size of the first batch.
        batch: Size of the others.
        most: The most samples of a problem.
    """

    def __init__(
        self,
        keep: PositiveInt | None = 16,
        first: PositiveInt = 32,
        batch: PositiveInt = 16,
        most: PositiveInt = 2048,
    ) -> None:
        if first > most:
            raise refused("first", first, f"it is more than most={most}")
        if keep == 1:
            raise refused("keep", keep, "at least 2 are needed, a right and a wrong one; or null for all")
        self._keep, self._first, self._batch = keep, first, batch
        self.most = first if keep is None else most
        self.balances = keep is not None

    @property
    def kept(self) -> int:
        """The most solutions that are kept of a problem."""
        return self._first if self._keep is None else min(self._keep, self.most)

    async def of(self, problem: Problem, policy: Policy, valid: Callable[[Solution], bool], right: Right) -> Samples:
        """Samples the solutions of a problem.

        Args:
            problem: The problem.
            policy: The policy.
            valid: Whether a solution can be labelled.
            right: Says which solutions are right.

        Raises:
            LimitReached: The budget did not allow it.
            ProblemError: The policy failed.
        """
        solutions: list[Solution] = []
        labels: list[bool | None] = []
        holds = policy.traits.holds
        most = self.most if holds is None else min(self.most, holds(problem))
        while len(solutions) < most and not self._enough(labels):
            number = min(self._batch if solutions else self._first, most - len(solutions))
            batch = await gathered(policy, problem, Solution(), number, len(solutions))
            fine = [valid(solution) for solution in batch]
            graded = iter(await right([solution for solution, good in zip(batch, fine, strict=True) if good]))
            solutions += [solution if good else _INVALID for solution, good in zip(batch, fine, strict=True)]
            labels += [next(graded) if good else None for good in fine]
        return self._samples(solutions, labels)

    def _enough(self, labels: Sequence[bool | None]) -> bool:
        if self._keep is None:
            return bool(labels)
        half = self._keep / 2
        return labels.count(True) >= half and labels.count(False) >= half

    def _samples(self, solutions: Sequence[Solution], labels: Sequence[bool | None]) -> Samples:
        pairs = [pair for pair in zip(solutions, labels, strict=True) if pair[0] is not _INVALID]
        right, wrong = labels.count(True), labels.count(False)
        skipped: Skipped | None = None
        if self._keep is not None:
            skipped = "hard" if not right else "easy" if not wrong else None
            pairs = [] if skipped else _balanced(pairs, self._keep)
        kept, graded = zip(*pairs, strict=True) if pairs else ((), ())
        invalid = sum(solution is _INVALID for solution in solutions)
        return Samples(right, wrong, invalid, kept, graded, skipped)


_INVALID = Solution()


def _balanced(pairs: Sequence[tuple[Solution, bool | None]], keep: int) -> list[tuple[Solution, bool | None]]:
    """Returns the first ones of each side, half of `keep` each, filled up from the larger side."""
    sides = [[pair for pair in pairs if pair[1] is side] for side in (True, False)]
    small, large = sorted(sides, key=len)
    few = small[: keep // 2]
    chosen = [*few, *large[: keep - len(few)]]
    return sorted(chosen, key=lambda pair: pair[0].index)


async def gathered(policy: Policy, problem: Problem, prefix: Solution, n: int, first: int) -> list[Solution]:
    """Returns samples `first` to `first + n - 1` of a prefix in their order.

    Raises:
        LimitReached: The budget did not allow all of them.
        ProblemError: The policy failed, or gave fewer than it was asked for.
    """
    async with aclosing(policy.solutions(problem, prefix, n, first)) as arriving:
        found = [solution async for solution in arriving]
    if len(found) < n:
        await current().admit()
        if current().hit:
            raise LimitReached(min(current().hit))
        raise ProblemError(f"the policy gave {len(found)} of the {n} solutions that it was asked for")
    return sorted(found, key=lambda solution: solution.index)
