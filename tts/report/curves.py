"""Accuracy against the number of candidates and of votes, estimated only from the largest run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.core.selection import SELECTIONS, Rule
from tts.report.exact import EXACT_MAJORITY, best_of, majority, pass_at
from tts.report.orderings import Draws
from tts.report.pools import Floats, Pool, doublings, sizes, vote_scores

DRAWS = 100
"""Number of random orders of a problem's candidates, for rules without a formula."""

SPLITS = 4
"""Number of random choices of k of the K votes on each candidate."""

_SPARED = 4  # rules that are evaluated one draw at a time get this fraction of the draws

_BLOCK = 256  # problems computed at a time, to limit memory

RULE_NAMES = {
    "pass_at": "any (pass@n)",
    "argmax": "best of n",
    "weighted_vote": "weighted vote",
    "majority": "majority",
    "cluster_mean": "best mean of an answer",
    "pessimistic": "pessimistic mean",
    "borda": "Borda vote",
    "top": "vote of the top 10 %",
}
"""The rules of `tts.core.selection.SELECTIONS`, with the parameters that they have by default, and `pass_at`."""


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


def rule_name(rule: str) -> str:
    """Returns a rule's name as shown, with its parameter's value if it has one; for an unknown rule the text itself."""
    name, colon, value = rule.partition(":")
    return f"{RULE_NAMES[name]} ({value})" if colon and name in RULE_NAMES else RULE_NAMES.get(rule, rule)


def rules_of(pool: Pool, own: str) -> tuple[str, ...]:
    """Returns the rules that a pool has curves for: score-based ones only if it has scores.

    Args:
        pool: The candidates.
        own: The run's own rule, which may have another parameter than by default.
    """
    return tuple(dict.fromkeys([*RULE_NAMES, *known(own)])) if pool.verified else ("pass_at", "majority")


def known(rule: str) -> tuple[str, ...]:
    """Returns the rule, if it is one; a user's strategy may have its own, which is unknown here."""
    return (rule,) if rule in SELECTIONS else ()


def curve(pool: Pool, rule: str, at: Sequence[int] = (), draws: int = DRAWS, seed: int = 0) -> Curve:
    """Returns the curve of a rule: exact if there is a formula, otherwise estimated by drawing.

    Args:
        pool: The candidates.
        rule: `pass_at` or a key of `tts.core.selection.SELECTIONS`.
        at: The numbers of candidates; all of `sizes` by default, or powers of two where the rule itself is evaluated.
        draws: Number of random orders, if there is no formula.
        seed: Seed of the random orders.
    """
    evaluate = _CURVES.get(rule) or _evaluated(SELECTIONS[rule])
    at = tuple(at) or (sizes(pool.n) if rule in _CURVES else doublings(pool.n))
    values, variances = [], []
    for begin in range(0, len(pool.groups), _BLOCK):
        rows = np.zeros(len(pool.groups), bool)
        rows[begin : begin + _BLOCK] = True
        block = evaluate(pool.of(rows), at, draws, seed + begin)
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


def _evaluated(rule: Rule) -> Callable[[Pool, Sequence[int], int, int], _Block]:
    """Returns the estimate of a rule without a formula: the mean of its own choices in random draws."""

    def block(pool: Pool, at: Sequence[int], draws: int, seed: int) -> _Block:
        pool, draws = pool.voted if rule.elects else pool, max(2, draws // _SPARED)
        rng = np.random.default_rng(seed)
        values = np.repeat(pool.right.mean(1)[:, None], len(at), 1)  # all there is to know with one candidate
        variances = np.zeros(values.shape)
        drawn = [column for column, n in enumerate(at) if n > 1]
        for row in np.flatnonzero(pool.right.any(1) & ~pool.right.all(1)).tolist():
            orders = [rng.permutation(pool.n) for _ in range(draws)]
            for column in drawn:
                chosen = [_choice(rule, pool, row, order[: at[column]]) for order in orders]
                values[row, column], variances[row, column] = np.mean(chosen), np.var(chosen, ddof=1) / draws
        return values, variances

    return block


def _choice(rule: Rule, pool: Pool, row: int, drawn: NDArray[np.int64]) -> bool:
    """Returns whether a rule's choice among some candidates of a problem is right."""
    seen: dict[int, int] = {}
    groups = [None if group < 0 else seen.setdefault(group, len(seen)) for group in pool.groups[row, drawn].tolist()]
    scores = [None if math.isnan(score) else score for score in pool.scores[row, drawn].tolist()]
    chosen = rule(scores, groups)
    return chosen is not None and bool(pool.right[row, drawn[chosen]])


_CURVES: dict[str, Callable[[Pool, Sequence[int], int, int], _Block]] = {
    "pass_at": lambda pool, at, draws, seed: _exact(pass_at(pool, at)),
    "argmax": _argmax,
    "weighted_vote": lambda pool, at, draws, seed: _drawn("weighted_vote")(pool.voted, at, draws, seed),
    "majority": lambda pool, at, draws, seed: _majority(pool.voted, at, draws, seed),
}
