"""Readouts: turn a model's values at one position into a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Protocol

from annotated_types import MinLen

from tts.core.settings import NonNegativeInt, SettingError, refused, settings


class Readout(Protocol):
    """Turns one row of values into a score."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the score."""


@settings
class Softmax:
    """The total probability of some classes; the row holds logits.

    Args:
        classes: Indices of the classes that count as correct.
    """

    def __init__(self, classes: Annotated[Sequence[NonNegativeInt], MinLen(1)]) -> None:
        self._classes = tuple(classes)

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the classes' total probability.

        Raises:
            SettingError: The model has no such class.
        """
        if max(self._classes) >= len(row):
            raise refused("readout.classes", self._classes, f"the model has the classes 0 to {len(row) - 1}")
        top = max(row)
        weights = [math.exp(logit - top) for logit in row]
        return math.fsum(weights[i] for i in self._classes) / math.fsum(weights)


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
