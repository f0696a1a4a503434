"""Uncertainty of figures over problems: bootstrap intervals, paired differences, McNemar's test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from tts.report.pools import Floats
from tts.statistics.bootstrap import Bootstrap
from tts.statistics.metrics import ratio, wilson_interval

NOISE = 1e-9
"""Rounding error: values that differ by less are equal."""


@dataclass(frozen=True)
class Estimate:
    """A mean over problems.

    Attributes:
        mean: The mean, None without problems.
        low, high: Its 95 % interval.
        count: Number of problems.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int


def resamples(problems: int) -> Floats:
    """Returns the bootstrap's weights of problems, see `Bootstrap.weights`: a row of ones, then one per resample."""
    return Bootstrap().weights(problems, 0)


def means(values: Floats, weights: Floats) -> list[Estimate]:
    """Returns the mean of each column with its bootstrap interval over problems (percentiles).

    If all problems have the same value, for example with one problem, the resamples do not differ. Such a column gets
    Wilson's interval, as if the problems were right or wrong, which is at least as wide.

    Args:
        values: (P, C) in [0, 1]; NaN for problems without a value, which are left out.
        weights: As `resamples` returns them.
    """
    found = bootstrapped(values, weights)
    for column, estimate in enumerate(found):
        if estimate.mean is not None and estimate.low is None:
            low, high = wilson_interval(estimate.mean * estimate.count, estimate.count)
            found[column] = replace(estimate, low=low, high=high)
    return found


def bootstrapped(values: Floats, weights: Floats) -> list[Estimate]:
    """Returns the mean of each column with its bootstrap interval; no interval if all problems have the same value.

    Args:
        values: (P, C); NaN for problems without a value, which are left out.
        weights: As `resamples` returns them.
    """
    there = ~np.isnan(values)
    drawn = ratio(weights @ np.where(there, values, 0.0), weights @ there.astype(float))
    counts = there.sum(0)
    found = [Estimate(None, None, None, 0)] * values.shape[1]
    used = np.flatnonzero(counts)
    if not len(used):
        return found
    low, high = np.nanquantile(drawn[1:, used], (0.025, 0.975), axis=0)
    varied = np.nanmax(values[:, used], 0) > np.nanmin(values[:, used], 0) + NOISE
    for column, a, b, known in zip(used, low, high, varied, strict=True):
        interval = {"low": float(a) if known else None, "high": float(b) if known else None}
        found[column] = Estimate(mean=float(drawn[0, column]), count=int(counts[column]), **interval)
    return found


def rates(outcomes: Floats, weights: Floats) -> list[Estimate]:
    """Returns the mean of each column, with Wilson's interval for binary outcomes, else the bootstrap's.

    Args:
        outcomes: (P, C) of 0, 1 or NaN; or values in between for means over seeds. A problem is then drawn with all of
            its seeds.
        weights: As `resamples` returns them.
    """
    whole = (np.isnan(outcomes) | (outcomes == 0) | (outcomes == 1)).all(0)
    over_seeds = iter(means(outcomes[:, ~whole], weights))
    return [rate(column) if known else next(over_seeds) for column, known in zip(outcomes.T, whole, strict=True)]


def rate(outcomes: Floats) -> Estimate:
    """Returns the mean of outcomes that are 0, 1 or NaN with its Wilson interval, which is also valid near 0 and 1."""
    usable = outcomes[~np.isnan(outcomes)]
    if not len(usable):
        return Estimate(None, None, None, 0)
    low, high = wilson_interval(float(usable.sum()), len(usable))
    return Estimate(float(usable.mean()), low, high, len(usable))


@dataclass(frozen=True)
class Difference:
    """The difference between two runs, over the problems in which neither failed.

    Attributes:
        mean: The first's accuracy minus the second's.
        low, high: The 95 % interval of the paired bootstrap; None if all problems differ by the same.
        won, lost: Problems that only the first, and only the second, has right; over seeds, has right more often.
        p: Two-sided p of McNemar's exact test (over seeds, the sign test), not corrected for the number of pairs; None
            if the two have different numbers of seeds, which would bias it even for equal runs.
        count: Number of problems.
    """

    mean: float
    low: float | None
    high: float | None
    won: int
    lost: int
    p: float | None
    count: int

    @property
    def reversed(self) -> Difference:
        """The difference with the runs swapped."""
        low, high = (None if bound is None else -bound for bound in (self.high, self.low))
        return replace(self, mean=-self.mean, low=low, high=high, won=self.lost, lost=self.won)


def differences(
    outcomes: Floats, weights: Floats, seeds: Sequence[int] | None = None
) -> dict[tuple[int, int], Difference]:
    """Returns the difference (i minus j) of every two columns i < j that share a problem.

    Args:
        outcomes: (P, R) of 0, 1 or NaN, or means of these over seeds.
        weights: As `resamples` returns them.
        seeds: Number of seeds that each column averages; 1 by default.
    """
    seeds = seeds or [1] * outcomes.shape[1]
    found = {}
    for i in range(outcomes.shape[1] - 1):
        gap = outcomes[:, i : i + 1] - outcomes[:, i + 1 :]
        for j, estimate in enumerate(bootstrapped(gap, weights), i + 1):
            if estimate.mean is None:
                continue
            column = gap[:, j - i - 1]
            won, lost = int((column > 0).sum()), int((column < 0).sum())
            p = mcnemar(won, lost) if seeds[i] == seeds[j] else None
            found[i, j] = Difference(estimate.mean, estimate.low, estimate.high, won, lost, p, estimate.count)
    return found


@cache
def mcnemar(won: int, lost: int) -> float:
    """Returns the two-sided p of McNemar's exact test: that `won + lost` fair coin tosses are at least as uneven."""
    throws = won + lost
    tail = sum(math.comb(throws, k) for k in range(min(won, lost) + 1))
    return min(1.0, float(2 * tail / 2**throws))
