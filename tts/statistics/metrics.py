"""Metrics and their uncertainty.

Those over arrays take counts summed with several weightings (resamples) at once and are NaN, undefined, where they
divide by 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FirstErrorScore:
    """Accuracy of predicted first errors.

    Attributes:
        acc_error: Share of the erroneous solutions whose first error was found exactly; 0 without any.
        acc_correct: Share of the correct solutions in which no error was found; 0 without any.
        n_error: Number of erroneous solutions.
        n_correct: Number of correct solutions.
    """

    acc_error: float
    acc_correct: float
    n_error: int
    n_correct: int

    @property
    def f1(self) -> float:
        """The harmonic mean of both accuracies, ProcessBench's F1; 0 if both are 0."""
        return float(harmonic_mean(np.array(self.acc_error), np.array(self.acc_correct)))


def first_error_score(labels: Sequence[int | None], predictions: Sequence[int | None]) -> FirstErrorScore:
    """Scores predicted first errors (ProcessBench, arXiv 2412.06559, section 3.4).

    Args:
        labels: The 0-based index of each solution's first wrong step, None for a correct solution.
        predictions: The predicted indices.
    """
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for label, prediction in zip(labels, predictions, strict=True):
        hits[label is None].append(label == prediction)
    error, correct = hits[False], hits[True]
    return FirstErrorScore(
        sum(error) / len(error) if error else 0.0,
        sum(correct) / len(correct) if correct else 0.0,
        len(error),
        len(correct),
    )


def wilson_interval(successes: float, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Returns the Wilson score interval of a rate (95 % by default), (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    rate, weight = successes / trials, z * z / trials
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / trials + weight / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def wilson_limits(successes: float, trials: float, deviates: Array) -> Array:
    """Returns the limits of a rate at standard normal deviates; at -1.96 and 1.96 they are Wilson's 95 % interval.

    Args:
        successes: Number of successes.
        trials: Number of trials.
        deviates: (draws,); at 0 the limit is the rate itself.

    Returns:
        (draws,); NaN without trials.
    """
    if not trials:
        return np.full(len(deviates), np.nan)
    squares = deviates**2
    half = deviates * np.sqrt(successes * (trials - successes) / trials + squares / 4)
    return np.clip((successes + squares / 2 + half) / (trials + squares), 0.0, 1.0)


def ratio(part: Array, whole: Array) -> Array:
    """Returns part / whole, NaN where `whole` is 0."""
    result: Array = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)
    return result


def harmonic_mean(a: Array, b: Array) -> Array:
    """Returns the harmonic mean of two rates; 0, its limit, where both are 0."""
    total = a + b
    result: Array = np.divide(2 * a * b, total, out=np.zeros(np.shape(total)), where=total != 0)
    return result


def f1(hits: Array, false_alarms: Array, misses: Array) -> Array:
    """Returns the F1 of a class, 2 hits / (2 hits + false alarms + misses).

    NaN where the class neither occurs nor is predicted: PRMBench's code gives -1 then, and also without any hits, where
    this gives 0.
    """
    return ratio(2 * hits, 2 * hits + false_alarms + misses)


def auc(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Returns the area under the ROC curve: how often a positive item scores above a negative one, ties counting half.

    Args:
        scores: (items,).
        positive: (items,).
        weights: (resamples, items), the weight of each item.

    Returns:
        (resamples,); NaN where there are no positive or no negative items.
    """
    order = np.argsort(scores, kind="stable")
    scores, positive, weights = scores[order], positive[order], weights[:, order]
    if not len(scores):
        return np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]])
    ups = np.add.reduceat(weights * positive, starts, axis=1)
    downs = np.add.reduceat(weights * ~positive, starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    return ratio((ups * (below + downs / 2)).sum(axis=1), ups.sum(axis=1) * downs.sum(axis=1))
