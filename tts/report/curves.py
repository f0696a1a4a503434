"""Accuracy against the number of candidates and of votes, estimated only from the largest run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tts.report.exact import EXACT_MAJORITY, best_of, majority, pass_at
from tts.report.orderings import Draws
from tts.report.pools import Floats, Pool, sizes, vote_scores

DRAWS = 100
"""Number of random orders of a problem's candidates, for rules without a formula."""

SPLITS = 4
"""Number of random choices of k of the K votes on each candidate."""

_BLOCK = 256  # problems computed at a time, to limit memory

RULE_NAMES = {
    "pass_at": "any (pass@n)",
    "argmax": "best of n",
    "weighted_vote": "weighted vote",
    "majority": "majority",
}


@dataclass(frozen=True)
class Curve:
    """Accuracy at several numbers of candidates.

    Attributes:
        at: The numbers of candidates.
        values: (P, len(at)) expected accuracy on each problem.
        error: (len(at),) standard error of the mean over problems due to drawing; 0 where the values are exact.
    """

    at: tuple[int, ...]
    values: Floats
    error: Floats


def rules_of(pool: Pool) -> tuple[str, ...]:
    """Returns the rules that a pool has curves for: score-based ones only if it has scores."""
    return tuple(RULE_NAMES) if pool.verified else ("pass_at", "majority")


def curve(pool: Pool, rule: str, at: Sequence[int] = (), draws: int = DRAWS, seed: int = 0) -> Curve:
    """Returns the curve of a rule: exact if there is a formula, otherwise estimated by drawing.

    Args:
        pool: The candidates.
        rule: A key of `RULE_NAMES`.
        at: The numbers of candidates; all of `sizes` by default.
        draws: Number of random orders, if there is no formula.
        seed: Seed of the random orders.
    """
    at = tuple(at) or sizes(pool.n)
    values, variances = [], []
    for begin in range(0, len(pool.groups), _BLOCK):
        rows = np.zeros(len(pool.groups), bool)
        rows[begin : begin + _BLOCK] = True
        block = _CURVES[rule](pool.of(rows), at, draws, seed + begin)
        values.append(block[0])
        variances.append(block[1])
    value, variance = np.concatenate(values), np.concatenate(variances)
    return Curve(at, value, np.sqrt(variance.sum(0)) / len(value))


def surface(pool: Pool, rule: str, at: Sequence[int] = ()) -> dict[int, Curve]:
    """Returns the curve at each number k of votes up to K; {} if the pool holds no votes.

    k of the K votes on each candidate are chosen at random, `SPLITS` times; for k = K there is only one way. The error
    includes this randomness.
    """
    if pool.votes is None or pool.aggregator is None:
        return {}
    most = pool.votes.shape[2]
    whole = replace(pool, votes=None)
    rng = np.random.default_rng(most)
    found = {}
    for k in sorted({*range(1, min(most, 8) + 1), *(2**i for i in range(most.bit_length())), most}):
        if k == most:
            found[k] = curve(whole, rule, at)
            continue
        splits = []
        for split in range(SPLITS):
            order = rng.permuted(np.tile(np.arange(most), (*pool.groups.shape, 1)), axis=2)[:, :, :k]
            scores = vote_scores(np.take_along_axis(pool.votes, order[..., None], 2), pool.aggregator)
            splits.append(curve(replace(whole, scores=scores), rule, at, max(2, DRAWS // SPLITS), split))
        values = np.stack([part.values for part in splits])
        error = np.sqrt(values.var(0, ddof=1).sum(0) / SPLITS) / values.shape[1]
        found[k] = Curve(splits[0].at, values.mean(0), error)
    return found


_Block = tuple[Floats, Floats]  # values and variances, (P, len(at)) each


def _exact(values: Floats) -> _Block:
    return values, np.zeros(values.shape)


def _argmax(pool: Pool, at: Sequence[int], draws: int, seed: int) -> _Block:
    accuracies, exact = best_of(pool, at)
    values, variances = _exact(accuracies)
    if (drawn := ~exact).any():
        values[drawn], variances[drawn] = _drawn("argmax")(pool.of(drawn), at, draws, seed)
    return values, variances


def _majority(pool: Pool, at: Sequence[int], draws: int, seed: int) -> _Block:
    if pool.n <= EXACT_MAJORITY:
        return _exact(majority(pool, at))
    return _drawn("majority")(pool, at, draws, seed)


def _drawn(rule: str) -> Callable[[Pool, Sequence[int], int, int], _Block]:
    def block(pool: Pool, at: Sequence[int], draws: int, seed: int) -> _Block:
        values, variances = Draws(pool, draws, seed).accuracies((rule,), at)[rule]
        if 1 in at:  # with one candidate there is nothing to draw
            electable = pool.right & (pool.groups >= 0) if rule == "majority" else pool.right
            values[:, at.index(1)], variances[:, at.index(1)] = electable.mean(1), 0.0
        return values, variances

    return block


_CURVES: dict[str, Callable[[Pool, Sequence[int], int, int], _Block]] = {
    "pass_at": lambda pool, at, draws, seed: _exact(pass_at(pool, at)),
    "argmax": _argmax,
    "weighted_vote": lambda pool, at, draws, seed: _drawn("weighted_vote")(pool.voted, at, draws, seed),
    "majority": lambda pool, at, draws, seed: _majority(pool.voted, at, draws, seed),
}
