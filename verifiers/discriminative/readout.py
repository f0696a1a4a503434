"""Readouts: turn a model's values at one position into a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Protocol

from annotated_types import Gt, Lt, MinLen

from tts.core.errors import UserError
from tts.core.settings import NonNegativeInt, PositiveFloat, SettingError, refused, settings

if TYPE_CHECKING:
    from torch import Tensor


class Readout(Protocol):
    """Turns one row of values into a score; in training, many rows into log-odds.

    Attributes:
        width: The number of values that a head of its own has at a position.
    """

    width: int

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the score."""

    def logits(self, values: Tensor) -> Tensor:
        """Returns the log-odds of the scores of `values` `[rows, width]`, `[rows]`, for training."""


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
        self.width = max(2, max(self._classes) + 1)

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

    def logits(self, values: Tensor) -> Tensor:
        """Returns the log-odds of the classes' share, whatever `centre` is."""
        others = [i for i in range(values.shape[-1]) if i not in self._classes]
        return values[:, list(self._classes)].logsumexp(-1) - values[:, others].logsumexp(-1)


class Sigmoid:
    """The mean sigmoid of the row's values (one, or one for each head of an ensemble)."""

    width = 1

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the mean."""
        return math.fsum(map(sigmoid, row)) / len(row)

    def logits(self, values: Tensor) -> Tensor:
        """Returns the values, one a row: ensembles are not trained."""
        return values.squeeze(-1)


class Value:
    """The row's only value, unchanged, for rewards that are not probabilities."""

    width = 1

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the value.

        Raises:
            SettingError: The row has several values.
        """
        if len(row) != 1:
            raise SettingError("readout", f"the model has {len(row)} values at a position, and not one; choose Softmax")
        return row[0]

    def logits(self, values: Tensor) -> Tensor:
        """Returns the values: rewards are trained as log-odds."""
        return values.squeeze(-1)


@settings
class LogRatio:
    """The log-ratio of two models, whose log-probabilities of one token are the row, times a coefficient.

    Args:
        coefficient: beta.
    """

    width = 2

    def __init__(self, coefficient: PositiveFloat) -> None:
        self._coefficient = coefficient

    def __call__(self, row: Sequence[float]) -> float:
        """Returns the log-ratio.

        Raises:
            UserError: There is no second model.
        """
        if len(row) != 2:
            raise UserError(
                "this format compares two models: name the reference model in the engine's setting `reference`"
            )
        return self._coefficient * (row[0] - row[1])

    def logits(self, values: Tensor) -> Tensor:
        """Returns the log-ratios."""
        return self._coefficient * (values[:, 0] - values[:, 1])


def sigmoid(x: float) -> float:
    """Returns 1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
