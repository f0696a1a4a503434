"""How a budget is best divided between candidates and votes: the iso-cost optimum of a surface, and its exponents.

N candidates with K votes each cost N (1 + lambda K), in units of one candidate; lambda = tokens of a vote / tokens of a
candidate. Source: arXiv 2504.01005 (COLM 2025), sec. 4, where the best numbers grow as N ~ C^.57 and K ~ C^.39.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tts.report.pools import Floats
from tts.statistics.metrics import ratio

_STEPS = 4  # budgets for each doubling
_FEW = 4  # different budgets that a fit needs


@dataclass(frozen=True)
class Optimum:
    """The most accurate division of a budget.

    Attributes:
        budget: In tokens per problem.
        n, k: Candidates and votes.
        accuracy: Its accuracy. Chosen among cells of the same data, it is biased upwards.
    """

    budget: float
    n: int
    k: int
    accuracy: float


@dataclass(frozen=True)
class Exponent:
    """The exponent of a power law of the budget, with its 95 % bootstrap interval over problems."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scaling:
    """The best division of each budget.

    Attributes:
        price: lambda, the tokens of a vote divided by those of a candidate.
        optima: The best division at doubling budgets.
        n, k: The exponents a and b of N ~ C^a and K ~ C^b; None with too few budgets.
        budgets: Number of budgets that they are fitted to.
        limited: At how many of these K is the largest recorded, so that b is a lower bound. The recorded N bound nothing:
            no budget buys more than the largest.
    """

    price: float
    optima: tuple[Optimum, ...]
    n: Exponent | None
    k: Exponent | None
    budgets: int
    limited: int


def scaling(
    values: Floats, at: Sequence[int], votes: Sequence[int], tokens: tuple[float, float], weights: Floats
) -> Scaling | None:
    """Returns the best divisions of budgets up to that of the most candidates with the fewest votes.

    Args:
        values: (K, N, P) accuracy on each problem; NaN where unknown.
        at: The numbers of candidates.
        votes: The numbers of votes.
        tokens: Tokens of one candidate, and of one vote on it.
        weights: The bootstrap's, as `tts.report.statistics.resamples` returns them.

    Returns:
        None if votes have no tokens, or nothing is known.
    """
    solution, vote = tokens
    if not (solution > 0 and vote > 0):
        return None
    price = vote / solution
    k, n = (part.ravel() for part in np.meshgrid(votes, at, indexing="ij"))
    costs = n * (1 + price * k)
    cells = values.reshape(len(k), -1)
    known = np.flatnonzero((~np.isnan(cells)).any(1))
    if not len(known):
        return None
    order = known[np.argsort(costs[known], kind="stable")]  # so that of equally accurate cells the cheapest is first
    k, n, costs, cells = k[order], n[order], costs[order], cells[order]
    there = (~np.isnan(cells)).astype(float)
    drawn = ratio(np.nan_to_num(cells) @ weights.T, there @ weights.T)
    drawn = np.where(np.isnan(drawn), -np.inf, drawn)  # (cells, 1 + resamples)
    doublings = math.log2(n.max() * (1 + price * k.min()) / costs[0])
    budgets = costs[0] * 2 ** (np.arange(int(_STEPS * doublings + 1e-9) + 1) / _STEPS)
    affordable = [int(count) for count in np.searchsorted(costs, budgets * (1 + 1e-9), side="right")]
    best = np.array([drawn[:count].argmax(0) for count in affordable])  # (budgets, 1 + resamples)
    optima = [
        Optimum(float(budget * solution), int(n[cell]), int(k[cell]), float(drawn[cell, 0]))
        for budget, cell in zip(budgets[::_STEPS], best[::_STEPS, 0], strict=True)
    ]
    enough = len(budgets) >= _FEW
    return Scaling(
        price,
        tuple(optima),
        _exponent(budgets, n[best]) if enough else None,
        _exponent(budgets, k[best]) if enough else None,
        len(budgets),
        int((k[best[:, 0]] == k.max()).sum()),
    )


def _exponent(budgets: Floats, sizes: Floats) -> Exponent:
    """Returns the slope of log size on log budget, by least squares for each column of sizes (budgets, 1 + resamples)."""
    x = np.log(budgets) - np.log(budgets).mean()
    slopes = x @ np.log(sizes) / (x @ x)
    low, high = np.quantile(slopes[1:], (0.025, 0.975))
    return Exponent(float(slopes[0]), float(low), float(high))


def exponents(found: Scaling) -> str:
    """Returns the fitted power laws in words."""
    if found.n is None or found.k is None:
        return "too few budgets for exponents"
    laws = [f"{name} ~ C^{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]" for name, e in (("N", found.n), ("K", found.k))]
    bound = f"; K is the most recorded at {found.limited}, so that its exponent is a lower bound" * bool(found.limited)
    return f"{', '.join(laws)}, fitted to the best at {found.budgets} budgets{bound}"
