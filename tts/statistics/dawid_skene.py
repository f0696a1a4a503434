"""How often judges are right, learned without labels from how often they agree.

Source: Dawid and Skene 1979, for two classes: each judge says Yes to a right item with a probability of its own, and No to a
wrong one with another, independently of the other judges given the truth. Expectation maximisation from the share of Yes
votes, with one imagined right and one wrong vote of each kind, so that no estimate is 0 or 1. Three judges at least are
needed: the agreement of two can be explained by any accuracies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judges:
    """Estimates.

    Attributes:
        share: The share of right items.
        sensitivity: Each judge's probability of a Yes to a right item, `[judges]`.
        specificity: Each judge's probability of a No to a wrong item, `[judges]`.
        right: Each item's probability of being right, `[items]`.
    """

    share: float
    sensitivity: Floats
    specificity: Floats
    right: Floats

    @property
    def weights(self) -> Floats:
        """What a judge's Yes is worth more than its No, as a logarithm of odds, `[judges]`; 0 for a coin."""
        odds = self.sensitivity * self.specificity / ((1 - self.sensitivity) * (1 - self.specificity))
        return np.maximum(0.0, np.log(odds))


def estimate(votes: Floats, iterations: int = 200) -> Judges:
    """Returns the estimates that make votes most probable.

    Args:
        votes: `[items, judges]`: 1 for Yes, 0 for No, nan for none.
        iterations: Of expectation maximisation.

    Raises:
        ValueError: There are fewer than three judges, or one has not voted.
    """
    cast = ~np.isnan(votes)
    if votes.shape[1] < 3 or not cast.any(0).all():
        raise ValueError("three judges at least are needed, each with a vote")
    yes, no = np.where(cast, votes, 0.0), np.where(cast, 1 - votes, 0.0)
    right = yes.sum(1) / np.maximum(1, cast.sum(1))
    for _ in range(iterations):
        share = (right.sum() + 1) / (len(right) + 2)
        sensitivity = (right @ yes + 1) / (right @ cast + 2)
        specificity = ((1 - right) @ no + 1) / ((1 - right) @ cast + 2)
        evidence = yes @ np.log(sensitivity / (1 - specificity)) + no @ np.log((1 - sensitivity) / specificity)
        right = 1 / (1 + np.exp(-(evidence + np.log(share / (1 - share)))))
    return Judges(float(share), sensitivity, specificity, right)
