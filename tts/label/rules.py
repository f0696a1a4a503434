"""Label rules: from completions that were counted once to the label of every step. Nothing is sampled for another rule.

MC_t is the share of right completions of the first t steps, MC_0 the problem's Pass@1; the last step's MC is 1 or 0, by the
solution's own answer. Shares are exact fractions, so that a ratio of exactly 0.8 reaches 0.8.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, Protocol

from tts.core.settings import PositiveFloat, PositiveProbability, Probability, settings
from tts.label.evidence import Evidence
from tts.tasks.step_labels import Labels

Reads = Literal["counts", "scores"]
"""What a rule reads: `counts` of completions, `scores` of a verifier."""

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class Labelled:
    """The labels of a solution.

    Attributes:
        labels: One per step: whether it is right, None if unlabelled.
        values: What the rule compares with its threshold, one per step; None where there is nothing to compare.
    """

    labels: Labels
    values: tuple[float | None, ...]

    @property
    def first_error(self) -> int:
        """The index of the first wrong step, -1 if there is none (ProcessBench)."""
        return self.labels.index(False) if False in self.labels else -1


class Rule(Protocol):
    """Labels the steps of a solution.

    Attributes:
        reads: What it reads.
        needs_all: Whether it needs the count of every step, which a search for the first error does not have.
    """

    @property
    def reads(self) -> frozenset[Reads]:
        """What it reads."""

    @property
    def needs_all(self) -> bool:
        """Whether it needs the count of every step."""

    def label(self, evidence: Evidence) -> Labelled | str:
        """Returns the labels, or why the solution has none."""


class CountRule(ABC):
    """A rule over the completions of each step.

    Attributes:
        relative: Whether a step's label also depends on the step before.
        ends: Whether nothing that follows the first step without a right completion can change a label.
        needs_all: As in `Rule`.
        until_error: Whether the steps after the first wrong one are left unlabelled.
    """

    reads: frozenset[Reads] = frozenset({"counts"})
    relative: bool = False
    ends: bool = False
    needs_all: bool = True
    until_error: bool = False

    @abstractmethod
    def value(self, before: Fraction, after: Fraction) -> Fraction:
        """Returns what is compared, given MC before and after a step."""

    @abstractmethod
    def right(self, value: Fraction) -> bool:
        """Returns whether a step with this value is right; monotone."""

    def shares(self, evidence: Evidence) -> Sequence[Fraction] | str:
        """Returns MC_0 to MC_T, or why they cannot be used."""
        shares = [count.share for count in (evidence.start, *evidence.counts)]
        if not self.relative and shares[0] is None:
            shares[0] = _ZERO
        known = [share for share in shares if share is not None]
        return known if len(known) == len(shares) else "not_counted"

    def label(self, evidence: Evidence) -> Labelled | str:
        """Returns the labels, or why the solution has none."""
        shares = self.shares(evidence)
        if isinstance(shares, str):
            return shares
        values = [self.value(before, after) for before, after in pairwise(shares)]
        labels: list[bool | None] = [self.right(value) for value in values]
        if self.until_error and False in labels:
            first = labels.index(False) + 1
            labels[first:] = [None] * (len(labels) - first)
        return Labelled(tuple(labels), tuple(map(float, values)))


@settings
class Hard(CountRule):
    """A step is right if any completion is: MC_t > 0.

    Sources: Math-Shepherd (arXiv 2312.08935), hard estimation; VisualPRM (arXiv 2503.10291), which labels all steps; Qwen's
    PRMs (arXiv 2501.07301), negative if none of 8 is right, and unlabelled after the first negative (`until_error`).
    Steps that a search for the first error did not count (OmegaPRM, arXiv 2406.06592) are right before a step with a right
    completion and wrong after one without.

    Args:
        until_error: Leaves the steps after the first wrong one unlabelled.
    """

    needs_all = False

    def __init__(self, until_error: bool = False) -> None:
        self.until_error = until_error
        self.ends = until_error

    def value(self, before: Fraction, after: Fraction) -> Fraction:
        """Returns MC_t."""
        return after

    def right(self, value: Fraction) -> bool:
        """Any completion is right."""
        return value > 0

    def shares(self, evidence: Evidence) -> Sequence[Fraction] | str:
        """Returns the shares, with 1 or 0 for steps that were not counted."""
        shares = [count.share for count in evidence.counts]
        alive = max((t for t, share in enumerate(shares) if share), default=-1)
        dead = next((t for t, share in enumerate(shares) if share == 0), len(shares))
        filled = [
            share if share is not None else _ONE if t < alive else _ZERO if t > dead else None
            for t, share in enumerate(shares)
        ]
        known = [share for share in filled if share is not None]
        return [_ZERO, *known] if len(known) == len(filled) else "not_counted"


@settings
class Soft(CountRule):
    """The label is the share of right completions, MC_t; as a class it is right from `least` on.

    Source: Math-Shepherd (arXiv 2312.08935), soft estimation.

    Args:
        least: Lowest share of a right step.
    """

    def __init__(self, least: PositiveProbability = 0.5) -> None:
        self._least = _exact(least)

    def value(self, before: Fraction, after: Fraction) -> Fraction:
        """Returns MC_t."""
        return after

    def right(self, value: Fraction) -> bool:
        """The share reaches `least`."""
        return value >= self._least


@settings
class RelativeProgress(CountRule):
    """Relative Progress Estimation: a step is right if P_t = MC_t / MC_{t-1} >= eps.

    Source: GenPRM (arXiv 2504.00891), eps = 0.8. After the first step with MC_t = 0 all following MC are 0, and
    0 / 0, which the paper does not define, is 0: they are all wrong. A solution of a problem that no completion solves
    (MC_0 = 0) has no labels, as the released code drops such problems.

    Args:
        eps: Lowest ratio of a right step; it may be above 1.
    """

    relative = True
    ends = True

    def __init__(self, eps: PositiveFloat = 0.8) -> None:
        self._eps = _exact(eps)

    def value(self, before: Fraction, after: Fraction) -> Fraction:
        """Returns P_t."""
        return after / before if before else _ZERO

    def right(self, value: Fraction) -> bool:
        """The ratio reaches eps."""
        return value >= self._eps

    def shares(self, evidence: Evidence) -> Sequence[Fraction] | str:
        """Returns the shares, all 0 after the first 0."""
        start = evidence.start.share
        if not start:
            return "not_counted" if start is None else "unsolved"
        shares = [start]
        for count in evidence.counts:
            share = count.share if shares[-1] else _ZERO
            if share is None:
                return "not_counted"
            shares.append(share)
        return shares


@settings
class Difference(CountRule):
    """A step is right if it lowers the share of right completions by no more than delta: MC_t - MC_{t-1} >= -delta.

    Source: GenPRM (arXiv 2504.00891), ablation of the labels: delta 0.1, 0.3, 0.5. A step after a prefix that no completion
    solves cannot lower it and is right.

    Args:
        delta: Highest loss of a right step.
    """

    relative = True

    def __init__(self, delta: Probability = 0.1) -> None:
        self._delta = _exact(delta)

    def value(self, before: Fraction, after: Fraction) -> Fraction:
        """Returns the gain."""
        return after - before

    def right(self, value: Fraction) -> bool:
        """The loss is at most delta."""
        return value >= -self._delta


def _exact(value: float) -> Fraction:
    """Returns the decimal number that was written, not its neighbour in binary."""
    return Fraction(str(value))
