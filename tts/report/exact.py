"""Exact results of n of N recorded candidates: the expectation over all draws of n in random order.

Draws are without replacement, so no candidate counts twice. Ties that a rule breaks by order are averaged over random
orders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tts.report.pools import Floats, Pool

EXACT_MAJORITY = 64
"""The largest N for which the exact majority is not slower than drawing."""


@cache
def _shares(n: int) -> Floats:
    """Returns C(a, k) / C(n, k) for a, k = 0 ... n: the probability that k drawn of n are all among a given a."""
    return np.array([[math.comb(a, k) / math.comb(n, k) for k in range(n + 1)] for a in range(n + 1)])


@cache
def _binomials(n: int) -> Floats:
    return np.array([[float(math.comb(a, k)) for k in range(n + 1)] for a in range(n + 1)])


def pass_at(pool: Pool, at: Sequence[int]) -> Floats:
    """Returns the probability that any of n candidates is right, (P, len(at)) for each n in `at`.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, eq. 1): 1 - C(N - c, n) / C(N, n).
    """
    found: Floats = 1 - _shares(pool.n)[pool.n - pool.right.sum(1)][:, list(at)]
    return found


def best_of(pool: Pool, at: Sequence[int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the accuracy of the best-scored of n candidates (`tts.core.selection.argmax`), by order statistics.

    If b candidates are better than a candidate and c as good (including itself), it is chosen of n with probability
    (C(N - b, n) - C(N - b - c, n)) / (c C(N, n)).

    Returns:
        (P, len(at)) accuracies for each n in `at`; and (P,) for which problems they are exact: among equally good
        candidates `argmax` takes one with the most frequent answer, so the formula requires them to be all right, all
        wrong, or of one group.
    """
    ranks, n = _ranks(pool), pool.n
    better = (ranks[:, None, :] > ranks[:, :, None]).sum(2)
    equal = ranks[:, None, :] == ranks[:, :, None]
    tied = equal.sum(2)
    shares = _shares(n)[:, list(at)]
    chances = (shares[n - better] - shares[n - better - tied]) / tied[:, :, None]
    accuracies = np.einsum("pi,pin->pn", pool.right.astype(float), chances)
    mixed = equal & (pool.right[:, None, :] != pool.right[:, :, None])
    strange = equal & (pool.groups[:, None, :] != pool.groups[:, :, None])
    return accuracies, ~(mixed.any(2) & strange.any(2)).any(1)


def _ranks(pool: Pool) -> Floats:
    """Returns the first ranking keys of `argmax`: whether there is an answer, then the score; (P, N)."""
    strengths = np.where(np.isnan(pool.scores), -np.inf, pool.scores)
    order = np.lexsort((strengths, pool.groups >= 0), axis=1)
    ordered = np.stack([np.take_along_axis(part, order, 1) for part in (strengths, pool.groups >= 0)])
    steps = (ordered[:, :, 1:] != ordered[:, :, :-1]).any(0).cumsum(1)
    ranks = np.zeros(strengths.shape)
    np.put_along_axis(ranks, order[:, 1:], steps.astype(float), 1)
    return ranks


def majority(pool: Pool, at: Sequence[int]) -> Floats:
    """Returns the accuracy of the most frequent of n candidates' answers (`tts.core.selection.majority`), (P, len(at)).

    The draws of n in which group g has m members and no other has more are counted by generating functions: the product
    over the other groups of sum_{k < m} C(c_j, k) x^k + y C(c_j, m) x^m, in which y counts the groups tied with g; they
    and g win equally often, so y^t becomes 1 / (t + 1). Groups of fewer than m members are one factor.
    """
    sizes, right = _group_sizes(pool)
    problems, winners = np.nonzero(right > 0)
    found = np.zeros((len(sizes), pool.n + 1))
    if len(problems):
        own = sizes[problems, winners]
        others = sizes[problems]  # fancy indexing copies
        others[np.arange(len(problems)), winners] = 0
        others = -np.sort(-others, axis=1)
        won = _wins(own, others, pool.n)
        np.add.at(found, problems, won * (right[problems, winners] / own)[:, None])
    shares: Floats = found / _binomials(pool.n)[pool.n]
    return shares[:, list(at)]


def _group_sizes(pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns for each problem and group the number of members and of right members, (P, G) each."""
    members = pool.groups[:, :, None] == np.arange(pool.groups.max() + 1)
    return members.sum(1), (members & pool.right[:, :, None]).sum(1)


def _wins(own: NDArray[np.int64], others: NDArray[np.int64], n: int) -> Floats:
    """Returns the number of draws of each size that a group wins, (Q, N + 1).

    Args:
        own: (Q,) members of the group.
        others: (Q, G) members of the other groups, in descending order.
        n: Number of all candidates; those in no group have no answer.
    """
    binomials = _binomials(n)
    total = np.zeros((len(own), n + 1))
    for m in range(1, int(own.max()) + 1):
        able = others[:, : min(n // m, others.shape[1])]  # groups after these have fewer than m members
        product = np.zeros((len(own), able.shape[1] + 1, n + 1))
        product[:, 0] = binomials[n - own - able.sum(1)]
        for count in able.T:
            grown = np.zeros_like(product)
            for k in range(min(m, n + 1)):
                factor = binomials[count, k][:, None, None]
                grown[:, :, k:] += factor * product[:, :, : n + 1 - k]
            grown[:, 1:, m:] += binomials[count, m][:, None, None] * product[:, :-1, : n + 1 - m]
            product = grown
        ties = product / np.arange(1, able.shape[1] + 2)[:, None]
        total[:, m:] += binomials[own, m][:, None] * ties.sum(1)[:, : n + 1 - m]
    return total
