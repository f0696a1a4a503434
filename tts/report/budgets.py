"""The Pareto front of accuracy against cost, and the best run per budget, overall and per difficulty bin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.report.pools import Floats

_FOLDINGS = 20  # random halvings of the problems for cross-validating the choice per bin


def front(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Returns the runs on the Pareto front, cheapest first: no other is as accurate for less or better for as much.

    A run whose cost or accuracy is NaN is never on the front. Of two that are equal in both, the first is.
    """
    usable = [i for i in range(len(costs)) if not (math.isnan(costs[i]) or math.isnan(accuracies[i]))]
    found: list[int] = []
    for i in sorted(usable, key=lambda i: (costs[i], -accuracies[i], i)):
        if not found or accuracies[i] > accuracies[found[-1]]:
            found.append(i)
    return found


def savings(costs: Sequence[float], accuracies: Sequence[float]) -> list[float]:
    """Returns each run's cost divided by that of the cheapest run that is at least as accurate; 1 on the front."""
    best = front(costs, accuracies)
    found = []
    for cost, accuracy in zip(costs, accuracies, strict=True):
        cheapest = next((costs[i] for i in best if accuracies[i] >= accuracy), math.nan)
        found.append(cost / cheapest if cheapest else math.nan)
    return found


def round_budgets(costs: Sequence[float]) -> list[float]:
    """Returns budgets 1, 2, 5 x 10^i from the first that affords a run to the first that affords all."""
    positive = [cost for cost in costs if cost > 0]
    if not positive:
        return []
    exponents = range(math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive))) + 1)
    steps = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
    found = [step for step in steps if step >= min(positive)]
    return found[: 1 + sum(step < max(positive) for step in found)]


@dataclass(frozen=True)
class Choice:
    """The best choice within a budget.

    Attributes:
        budget: Cost per problem.
        run: The most accurate run whose mean cost is within the budget; the cheaper of equals.
        per_bin: The same per difficulty bin, by costs and accuracies in that bin; None if no run is within the budget.
        fixed: Held-out accuracy with one run for all problems, chosen on the other problems.
        adaptive: The same with one run per bin; NaN if a bin has no run within the budget.
    """

    budget: float
    run: int
    per_bin: tuple[int | None, ...]
    fixed: float
    adaptive: float


def choices(outcomes: Floats, costs: Floats, bins: Sequence[int], budgets: Sequence[float]) -> list[Choice]:
    """Returns the compute-optimal choice for each budget that affords any run.

    Accuracies on the problems that a choice was made on are biased upwards. So `fixed` and `adaptive` use two-fold
    cross-validation, as in Snell et al. 2024 (arXiv 2408.03314, section 3.2): chosen on one half of the problems of
    each bin, evaluated on the other, over `_FOLDINGS` random halvings.

    Args:
        outcomes: (P, R) of 0, 1 or NaN.
        costs: (P, R) cost of each problem.
        bins: Each problem's bin, -1 for none.
        budgets: Mean costs per problem.
    """
    where = np.asarray(bins)
    members = [where == number for number in range(int(where.max(initial=-1)) + 1)]
    halves = _halves(members)
    there = ~np.isnan(outcomes)
    right, count = halves @ np.where(there, outcomes, 0.0), halves @ there.astype(float)  # (foldings, bins, 2, R)
    bin_costs = np.stack([costs[rows].mean(0) if rows.any() else np.full(costs.shape[1], np.inf) for rows in members])
    found = []
    for budget in budgets:
        run = _best(right[0].sum((0, 1)), count[0].sum((0, 1)), costs.mean(0), budget)
        if run < 0:
            continue
        per_bin = _best(right[0].sum(1), count[0].sum(1), bin_costs, budget)
        fixed = _held_out(right.sum(1, keepdims=True), count.sum(1, keepdims=True), costs.mean(0), budget)
        adaptive = _held_out(right, count, bin_costs[:, None], budget)
        chosen = tuple(None if best < 0 else int(best) for best in per_bin)
        found.append(Choice(budget, int(run), chosen, fixed, adaptive))
    return found


def _halves(members: Sequence[NDArray[np.bool_]]) -> Floats:
    """Returns which problems are in each half of each bin in each folding, (foldings, bins, 2, P)."""
    rng = np.random.default_rng(0)
    found = np.zeros((_FOLDINGS, len(members), 2, len(members[0])))
    for folding in found:
        for halves, rows in zip(folding, members, strict=True):
            mixed = rng.permutation(np.flatnonzero(rows))
            halves[0, mixed[::2]] = halves[1, mixed[1::2]] = 1
    return found


def _best(right: Floats, count: Floats, costs: Floats, budget: float) -> NDArray[np.int64]:
    """Returns the most accurate run within the budget along the last axis, the cheapest of equals; -1 for none."""
    accuracy = np.where((count > 0) & (costs <= budget), right / np.maximum(count, 1), -1.0)
    best = accuracy.max(-1, keepdims=True)
    cheapest = np.where(accuracy == best, costs, np.inf).argmin(-1)
    return np.where(best[..., 0] < 0, -1, cheapest)


def _held_out(right: Floats, count: Floats, costs: Floats, budget: float) -> float:
    """Returns the accuracy on each half of the choice made on the other; NaN if a half has no choice."""
    chosen = _best(right, count, costs, budget)  # (foldings, bins, 2)
    other = slice(None, None, -1)
    if (chosen < 0).any():
        return math.nan
    tried = np.take_along_axis(right[:, :, other], chosen[..., None], -1)
    of = np.take_along_axis(count[:, :, other], chosen[..., None], -1)
    return float(tried.sum() / of.sum()) if of.sum() else math.nan
