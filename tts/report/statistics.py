"""How certain figures over problems are: bootstrap intervals, paired differences, McNemar's test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from tts.bootstrap import Bootstrap
from tts.metrics import ratio, wilson_interval
from tts.report.pools import Floats


@dataclass(frozen=True)
class Estimate:
    """A mean over problems.

    Attributes:
        mean: The mean, None without problems.
        low, high: Its 95 % interval.
        count: The problems.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int


def resamples(problems: int) -> Floats:
    """Returns the bootstrap's weights of problems, as `Bootstrap.weights`: a row of ones, then one for each resample."""
    return Bootstrap().weights(problems, 0)


def means(values: Floats, weights: Floats) -> list[Estimate]:
    """Returns the mean of each column with its bootstrap interval over problems (percentiles).

    Args:
        values: (P, C), NaN where a problem has no value; it is then left out.
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
    for column, a, b in zip(used, low, high, strict=True):
        found[column] = Estimate(float(drawn[0, column]), float(a), float(b), int(counts[column]))
    return found


def rate(outcomes: Floats) -> Estimate:
    """Returns the mean of outcomes that are 0, 1 or NaN with its Wilson interval, which holds near 0 and 1 too."""
    usable = outcomes[~np.isnan(outcomes)]
    if not len(usable):
        return Estimate(None, None, None, 0)
    low, high = wilson_interval(int(usable.sum()), len(usable))
    return Estimate(float(usable.mean()), low, high, len(usable))


@dataclass(frozen=True)
class Difference:
    """What one run is better by than another, over the problems that neither failed in.

    Attributes:
        mean: Its accuracy less the other's.
        low, high: The 95 % interval of the paired bootstrap.
        won, lost: Problems that this one alone, and that the other alone, has right.
        p: Two-sided p of McNemar's exact test, not corrected for the number of pairs.
        count: The problems.
    """

    mean: float
    low: float
    high: float
    won: int
    lost: int
    p: float
    count: int


def differences(outcomes: Floats, weights: Floats) -> dict[tuple[int, int], Difference]:
    """Returns the difference of every two columns i < j (i less j) that share a problem.

    Args:
        outcomes: (P, R) of 0, 1 or NaN.
        weights: As `resamples` returns them.
    """
    found = {}
    for i in range(outcomes.shape[1] - 1):
        gap = outcomes[:, i : i + 1] - outcomes[:, i + 1 :]
        for offset, estimate in enumerate(means(gap, weights)):
            if estimate.mean is None or estimate.low is None or estimate.high is None:
                continue
            column = gap[:, offset]
            won, lost = int((column > 0).sum()), int((column < 0).sum())
            found[i, i + 1 + offset] = Difference(
                estimate.mean, estimate.low, estimate.high, won, lost, mcnemar(won, lost), estimate.count
            )
    return found


@cache
def mcnemar(won: int, lost: int) -> float:
    """Returns the two-sided p of McNemar's exact test: a fair coin thrown `won + lost` times falls at least as unevenly."""
    throws = won + lost
    tail = sum(math.comb(throws, k) for k in range(min(won, lost) + 1))
    return min(1.0, float(2 * tail / 2**throws))
