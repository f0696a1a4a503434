"""Systematic resampling, and the functions that turn scores into weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

from tts.core.errors import ProblemError

_LEAST = 1e-7


def _probability(score: float) -> float:
    if not 0 <= score <= 1:
        raise ProblemError(f"a score of {score} is not a probability: set search.potential=linear for such a verifier")
    return min(max(score, _LEAST), 1 - _LEAST)


POTENTIALS: dict[str, Callable[[float], float]] = {
    # As in its_hub: the weight is the odds that the solution is right so far.
    "logit": lambda score: math.log(_probability(score) / (1 - _probability(score))),
    # The weight is the probability itself.
    "log": lambda score: math.log(_probability(score)),
    # The weights are the softmax of the raw scores.
    "linear": lambda score: score,
}
"""Each maps a particle's score to its logarithmic weight; probabilities are clipped to [1e-7, 1 - 1e-7]."""


def normalised(potentials: Sequence[float | None], temperature: float) -> list[float]:
    """Returns exp(potential / temperature), normalised to sum to 1; None gets 0, but all None get equal weights."""
    known = [potential for potential in potentials if potential is not None]
    if not known:
        return [1 / len(potentials)] * len(potentials)
    top = max(known)
    weights = [0.0 if p is None else math.exp((p - top) / temperature) for p in potentials]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def systematic(weights: Sequence[float], n: int, offset: float) -> list[int]:
    """Draws n indices by weight; each index i is drawn floor(n w_i) or ceil(n w_i) times.

    Source: Kitagawa 1996; Carpenter et al. 1999.

    Args:
        weights: One per index; they sum to 1.
        n: Number of draws.
        offset: Uniform in [0, 1).

    Returns:
        Indices in rising order.
    """
    bounds = [n * bound for bound in accumulate(weights)]
    drawn, i = [], 0
    last = max(i for i, weight in enumerate(weights) if weight > 0)
    for k in range(n):
        while i < last and bounds[i] <= k + offset:
            i += 1
        drawn.append(i)
    return drawn
