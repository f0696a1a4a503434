"""How what a model says at one position becomes a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Protocol

from annotated_types import MinLen

from tts.core.settings import NonNegativeInt, SettingError, refused, settings


class Readout(Protocol):
    """Makes a score of one row of values."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the score."""


@settings
class Softmax:
    """The probability of some classes, the row being logits.

    Args:
        classes: Indices of the classes that count as correct.
    """

    def __init__(self, classes: Annotated[Sequence[NonNegativeInt], MinLen(1)]) -> None:
        self._classes = tuple(classes)

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the classes' share.

        Raises:
            SettingError: There is no such class.
        """
        if max(self._classes) >= len(row):
            raise refused("readout.classes", self._classes, f"the model has the classes 0 to {len(row) - 1}")
        top = max(row)
        weights = [math.exp(logit - top) for logit in row]
        return math.fsum(weights[i] for i in self._classes) / math.fsum(weights)


class Sigmoid:
    """The mean over the row's values (one, or one for each head of an ensemble) of their sigmoids."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the mean."""
        return math.fsum(map(sigmoid, row)) / len(row)


class Value:
    """The row's only value as it is, for rewards that are no probability."""

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the value.

        Raises:
            SettingError: There are several.
        """
        if len(row) != 1:
            raise SettingError("readout", f"the model has {len(row)} values at a position, and not one; choose Softmax")
        return row[0]


def sigmoid(x: float) -> float:
    """Returns 1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
