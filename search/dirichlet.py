"""How sure it is that the leading answer is the likeliest, after some were drawn."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np


@lru_cache(maxsize=1 << 14)
def confidence(counts: tuple[int, ...]) -> float:
    """Returns the probability that the first of several answers is the likeliest, given how often each was drawn.

    Before anything is drawn, all distributions over the answers are equally likely. Then their probabilities are
    distributed like Dirichlet(counts + 1), which is independent Gamma(count + 1) variables over their sum, and the first
    is the largest with probability integral g_1(x) G_2(x) ... G_m(x) dx, with g the densities and G the distribution
    functions. With two answers that is the Beta rule: the probability that Beta(count_1 + 1, count_2 + 1) is above 1/2.
    """
    lead = counts[0]
    # Beyond this both ways the density holds less than 1e-12.
    spread = 8 * math.sqrt(lead + 1) + 30
    nodes, weights = _quadrature()
    low, high = max(0.0, lead - spread), lead + spread
    x = low + (nodes + 1) * (high - low) / 2
    # Poisson probabilities: of j, it is the density of Gamma(j + 1); their sum up to v is 1 - G of Gamma(v + 1).
    log_factorial = np.array([math.lgamma(j + 1) for j in range(max(counts) + 1)])
    poisson = np.exp(np.arange(max(counts) + 1)[:, None] * np.log(x) - x - log_factorial[:, None])
    below = 1 - np.cumsum(poisson, axis=0)
    return float(weights @ (poisson[lead] * np.prod(below[list(counts[1:])], axis=0)) * (high - low) / 2)


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(128)
    return nodes, weights
