"""Predictions of the count that a fixed number of completions would give, from those that are there."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma

import numpy as np

from tts.core.settings import PositiveFloat, PositiveInt, Probability, refused, settings
from tts.label.evidence import Count
from tts.statistics.metrics import Array


@settings
class Prediction:
    """Predicts how many of `most` completions will be right, after the first few.

    A sequential test that stops once the remaining samples are unlikely to change the decision of the full one: stochastic
    curtailment, with the predictive probability of the outcome (Lan, Simon and Halperin 1982; Lee and Liu 2008). The
    remaining right ones have a beta-binomial distribution, given a Beta(prior) distribution of the share.

    Args:
        most: The full number of completions.
        batch: Number of completions sampled at a time.
        error: Highest probability that the full number would have decided otherwise. Most decisions are far surer when
            they are made, so that far fewer differ.
        prior: Parameters of the Beta distribution. Below 1: most prefixes are solved nearly always or nearly never.
    """

    def __init__(
        self,
        most: PositiveInt = 32,
        batch: PositiveInt = 4,
        error: Probability = 0.1,
        prior: tuple[PositiveFloat, PositiveFloat] = (0.5, 0.5),
    ) -> None:
        if batch > most:
            raise refused("batch", batch, f"it is more than most={most}")
        if error >= 0.5:
            raise refused("error", error, "less than 0.5 is needed")
        self.most, self.batch, self.error = most, batch, error
        self._prior = prior

    def more(self, count: Count) -> int:
        """Returns the size of the next batch, 0 if there are `most` completions."""
        return max(0, min(self.batch, self.most - count.total))

    def distribution(self, count: Count) -> Array:
        """Returns the probabilities of 0 to `most` right completions among `most`, (most + 1,).

        More than `most` completions, as a problem's samples may be, are rounded to their share of `most`.
        """
        if count.total > self.most:
            count = Count(round(self.most * count.right / count.total), self.most)
        return _predicted(count.right, count.total, self.most, self._prior)

    def settled(self, probability: float) -> bool:
        """Whether an outcome of this probability is decided, one way or the other."""
        return self.unlikely(min(probability, 1 - probability))

    def unlikely(self, probability: float) -> bool:
        """Whether a probability is no more than the error."""
        return probability <= self.error + 1e-12

    def hopeless(self, count: Count) -> bool:
        """Whether no completion at all will be right, but for the error."""
        return count.right == 0 and self.unlikely(1 - float(self.distribution(count)[0]))


@lru_cache(maxsize=65536)
def _predicted(right: int, total: int, most: int, prior: tuple[float, float]) -> Array:
    a, b, left = prior[0] + right, prior[1] + total - right, most - total
    probabilities = np.zeros(most + 1)
    for more in range(left + 1):
        ways = lgamma(left + 1) - lgamma(more + 1) - lgamma(left - more + 1)
        probabilities[right + more] = exp(ways + _log_beta(a + more, b + left - more) - _log_beta(a, b))
    probabilities.setflags(write=False)
    return probabilities


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
