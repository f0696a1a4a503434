"""Readouts: turn a model's values at one position into a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Protocol

from annotated_types import Gt, Lt, MinLen

from tts.core.settings import NonNegativeInt, SettingError, refused, settings


class Readout(Protocol):
    """Turns one row of values into a score."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the score."""


@settings
class Softmax:
    """The probability of some classes, the row being logits.

    Args:
        classes: Indices of the classes that count as correct.
        centre: The probability that becomes a score of 0.5, such as a published threshold; the score is linear on both
            sides of it. 0.5 leaves all probabilities as they are.
    """

    def __init__(
        self, classes: Annotated[Sequence[NonNegativeInt], MinLen(1)], centre: Annotated[float, Gt(0), Lt(1)] = 0.5
    ) -> None:
        self._classes, self._centre = tuple(classes), centre

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the classes' share, or the score it becomes.

        Raises:
            SettingError: There is no such class.
        """
        if max(self._classes) >= len(row):
            raise refused("readout.classes", self._classes, f"the model has the classes 0 to {len(row) - 1}")
        top = max(row)
        weights = [math.exp(logit - top) for logit in row]
        share = math.fsum(weights[i] for i in self._classes) / math.fsum(weights)
        if self._centre == 0.5:
            return share
        return 0.5 * share / self._centre if share < self._centre else 1 - 0.5 * (1 - share) / (1 - self._centre)


class Sigmoid:
    """The mean sigmoid of the row's values (one, or one for each head of an ensemble)."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the mean."""
        return math.fsum(map(sigmoid, row)) / len(row)


class Value:
    """The row's only value, unchanged, for rewards that are not probabilities."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the value.

        Raises:
            SettingError: The row has several values.
        """
        if len(row) != 1:
            raise SettingError("readout", f"the model has {len(row)} values at a position, and not one; choose Softmax")
        return row[0]


def sigmoid(x: float) -> float:
    """Returns 1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
