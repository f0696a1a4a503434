"""Metrics and their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstErrorScore:
    """How well first errors are found.

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
        """The harmonic mean of both accuracies, ProcessBench's F1; 0 where both are 0."""
        total = self.acc_error + self.acc_correct
        return 2 * self.acc_error * self.acc_correct / total if total else 0.0


def first_error_score(labels: Sequence[int | None], predictions: Sequence[int | None]) -> FirstErrorScore:
    """Scores predicted first errors (ProcessBench, arXiv 2412.06559, section 3.4).

    Args:
        labels: The 0-based index of each solution's first wrong step, None for a correct solution.
        predictions: The same as predicted.
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


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Returns the Wilson score interval of a rate (95 % by default), (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    rate, weight = successes / trials, z * z / trials
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / trials + weight / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)
