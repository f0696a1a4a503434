"""The probability that the leading answer is the most likely one, given the answers drawn so far."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np


@lru_cache(maxsize=1 << 14)
def confidence(counts: tuple[int, ...]) -> float:
    """Returns the probability that the first of several answers is the most likely, given how often each was drawn.

    The prior over the answers' probabilities is uniform, so the posterior is Dirichlet(counts + 1), that is, independent
    Gamma(count + 1) variables divided by their sum. The first is the largest with probability
    integral g_1(x) G_2(x) ... G_m(x) dx, where g are the densities and G the distribution functions. With two answers this
    is the Beta rule: the probability that Beta(count_1 + 1, count_2 + 1) is above 1/2.
    """
    lead = counts[0]
    # The density's mass outside lead +- spread is below 1e-12.
    spread = 8 * math.sqrt(lead + 1) + 30
    nodes, weights = _quadrature()
    low, high = max(0.0, lead - spread), lead + spread
    x = low + (nodes + 1) * (high - low) / 2
    # The Poisson probability of j is the density of Gamma(j + 1); the sum up to v is 1 - G of Gamma(v + 1).
    log_factorial = np.array([math.lgamma(j + 1) for j in range(max(counts) + 1)])
    poisson = np.exp(np.arange(max(counts) + 1)[:, None] * np.log(x) - x - log_factorial[:, None])
    below = 1 - np.cumsum(poisson, axis=0)
    return float(weights @ (poisson[lead] * np.prod(below[list(counts[1:])], axis=0)) * (high - low) / 2)


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(128)
    return nodes, weights
