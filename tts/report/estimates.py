"""Curves over N and surfaces over N and K for each family of runs: estimated from its pool, or measured by its runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tts.report.comparison import Comparison
from tts.report.curves import Curve, curve, known, rules_of, surface
from tts.report.pools import Floats, Pool
from tts.report.runs import Run, mean_of
from tts.report.scaling import Scaling, scaling
from tts.report.statistics import Estimate, means


@dataclass(frozen=True)
class Line:
    """An estimated curve.

    Attributes:
        rule: `pass_at` or a key of `tts.core.selection.SELECTIONS`.
        at: Numbers of candidates.
        estimates: The accuracy at each, with its bootstrap interval over problems.
        error: The standard error due to drawing, which the interval does not include; 0 where exact.
        values: (P, len(at)) the accuracy on each problem; NaN where unknown.
    """

    rule: str
    at: tuple[int, ...]
    estimates: tuple[Estimate, ...]
    error: tuple[float, ...]
    values: Floats = field(repr=False, compare=False)


@dataclass(frozen=True)
class Surface:
    """Accuracy over candidates and votes.

    Attributes:
        at: Numbers of candidates, N.
        votes: Numbers of votes, K.
        estimates: [votes][candidates] accuracy; None where unknown.
        error: [votes][candidates] standard error due to drawing.
        tokens: Completion tokens of one candidate, and of one vote on it; NaN if unknown.
        estimated: Whether it is estimated from a pool rather than measured by runs.
        scaling: The best division of budgets between candidates and votes; None if votes have no tokens.
    """

    at: tuple[int, ...]
    votes: tuple[int, ...]
    estimates: tuple[tuple[Estimate | None, ...], ...]
    error: tuple[tuple[float, ...], ...]
    tokens: tuple[float, float]
    estimated: bool
    scaling: Scaling | None

    def gains(self, row: int, column: int) -> tuple[float, float]:
        """Returns a cell's gain from one more candidate, and from one more vote on each; NaN at the last."""
        return (
            self._gain((row, column), (row, column + 1), self.at, column),
            self._gain((row, column), (row + 1, column), self.votes, row),
        )

    def gains_per_token(self, row: int, column: int) -> tuple[float, float]:
        """Returns the gains per 1,000 tokens: a candidate costs its own and its votes' tokens, a vote one on all."""
        candidate, vote = self.tokens
        costs = candidate + self.votes[row] * vote, self.at[column] * vote
        gains = self.gains(row, column)
        return tuple(1000 * gain / cost if cost else math.nan for gain, cost in zip(gains, costs, strict=True))  # type: ignore[return-value]

    def _gain(self, here: tuple[int, int], there: tuple[int, int], axis: Sequence[int], place: int) -> float:
        if place + 1 >= len(axis):
            return math.nan
        a, b = self.estimates[here[0]][here[1]], self.estimates[there[0]][there[1]]
        if a is None or b is None or a.mean is None or b.mean is None:
            return math.nan
        return (b.mean - a.mean) / (axis[place + 1] - axis[place])


@dataclass(frozen=True)
class Family:
    """Runs that differ only in N, K and seed.

    Attributes:
        label: The label of its largest run.
        run: The number of that run.
        selection: The strategy's rule, a key of `tts.core.selection.SELECTIONS` or its own rule.
        lines: Curves from the pool at all votes; () if there is no pool.
        surface: The surface; None if there is only one N or one K.
        measured: (N, K, run) of the runs.
    """

    label: str
    run: int
    selection: str
    lines: tuple[Line, ...]
    surface: Surface | None
    measured: tuple[tuple[int, int, int], ...]


def families(comparison: Comparison) -> list[Family]:
    """Returns the families that have a pool, or runs at several N and K."""
    members: dict[str, list[int]] = {}
    for number, run in enumerate(comparison.runs):
        members.setdefault(run.source.family, []).append(number)
    found = [_family(comparison, numbers) for numbers in members.values()]
    return [family for family in found if family.lines or family.surface]


def _family(comparison: Comparison, numbers: list[int]) -> Family:
    runs = comparison.runs
    largest = max(numbers, key=lambda i: (bool(_pools(runs[i])), runs[i].source.n or 0, runs[i].source.k or 0))
    run = runs[largest]
    selection = run.source.selection
    cells = sorted((source.n, source.k or 0, i) for i in numbers if (source := runs[i].source).n is not None)
    measured = tuple(cells)
    pools = _pools(run)
    rules = rules_of(pools[0][0], selection) if pools else ()
    lines = tuple(_line(comparison, rule, [(curve(pool, rule), of) for pool, of in pools]) for rule in rules)
    return Family(run.label, largest, selection, lines, _surface(comparison, run, selection, measured), measured)


def _pools(run: Run) -> list[tuple[Pool, Sequence[int]]]:
    """Returns the pools of a run's seeds, each with the problems of its rows; only those of the first one's form."""
    found = [(part.pool, part.pooled) for part in run.parts if part.pool is not None]
    return [(pool, of) for pool, of in found if (pool.n, pool.verified) == (found[0][0].n, found[0][0].verified)]


def _line(comparison: Comparison, rule: str, curves: Sequence[tuple[Curve, Sequence[int]]]) -> Line:
    """Returns the mean of curves over seeds, problem by problem."""
    at = curves[0][0].at
    placed = np.full((len(curves), len(comparison.problems), len(at)), np.nan)
    for values, (found, of) in zip(placed, curves, strict=True):
        values[list(of)] = found.values
    error = np.sqrt(sum(found.error**2 for found, _ in curves)) / len(curves)
    values = mean_of(list(placed))
    return Line(rule, at, tuple(means(values, comparison.weights)), tuple(map(float, error)), values)


def _surface(
    comparison: Comparison, run: Run, selection: str, measured: Sequence[tuple[int, int, int]]
) -> Surface | None:
    pools = _pools(run) if known(selection) else []
    found = [(surface(pool, selection), of) for pool, of in pools if pool.verified]
    shared = set.intersection(*(set(curves) for curves, _ in found)) if found else set()
    if len(shared) > 1:
        votes = tuple(sorted(shared))
        lines = [_line(comparison, selection, [(curves[k], of) for curves, of in found]) for k in votes]
        tokens = _tokens(run, lines[0].at[-1], votes[-1])
        values = np.stack([line.values.T for line in lines])
        return Surface(
            at=lines[0].at,
            votes=votes,
            estimates=tuple(line.estimates for line in lines),
            error=tuple(line.error for line in lines),
            tokens=tokens,
            estimated=True,
            scaling=scaling(values, lines[0].at, votes, tokens, comparison.weights),
        )
    at, votes = sorted({n for n, _, _ in measured}), tuple(sorted({k for _, k, _ in measured if k}))
    if len(at) < 2 or len(votes) < 2:
        return None
    cells = {(n, k): comparison.accuracies[i] for n, k, i in measured}
    tokens = _tokens(comparison.runs[measured[-1][2]], measured[-1][0], measured[-1][1])
    values = np.full((len(votes), len(at), len(comparison.problems)), np.nan)
    for n, k, i in measured:
        if k:
            values[votes.index(k), at.index(n)] = comparison.runs[i].correct
    return Surface(
        at=tuple(at),
        votes=votes,
        estimates=tuple(tuple(cells.get((n, k)) for n in at) for k in votes),
        error=tuple((0.0,) * len(at) for _ in votes),
        tokens=tokens,
        estimated=False,
        scaling=scaling(values, at, votes, tokens, comparison.weights),
    )


def _tokens(run: Run, n: int, k: int) -> tuple[float, float]:
    usable = ~np.isnan(run.correct)
    if not usable.any():
        return math.nan, math.nan
    policy, verifier = (float(run.costs[f"{role}_tokens"][usable].mean()) for role in ("policy", "verifier"))
    return policy / n, verifier / (n * k)
