"""Results of n of N recorded candidates, estimated by drawing: for rules without a formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tts.report.pools import Floats, Pool, whole

RULES = ("argmax", "weighted_vote", "majority")

Bools = NDArray[np.bool_]
Winner = tuple[NDArray[np.int64], Bools]
"""The winning group of each draw, (P, R, 1), and whether there is one, (P, R)."""


class Draws:
    """Random orders of every problem's candidates; the first n of an order are a draw of n without replacement.

    Args:
        pool: The candidates.
        count: Number of orders per problem, at least 2.
        seed: Seed of the random orders.
    """

    def __init__(self, pool: Pool, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._count = count
        self._order = rng.permuted(np.tile(np.arange(pool.n), (len(pool.groups), count, 1)), axis=2)
        answered = pool.groups >= 0
        # Candidates without an answer form a separate group, the last.
        self._groups = int(pool.groups.max(initial=-1)) + 2
        self._group = np.where(answered, pool.groups, self._groups - 1)
        self._right = pool.right
        self._weights = whole(pool.scores)
        self._strength = np.where(np.isnan(pool.scores), -np.inf, pool.scores)

    def accuracies(self, rules: Sequence[str], at: Sequence[int]) -> dict[str, tuple[Floats, Floats]]:
        """Returns for each rule of `tts.core.selection` the mean accuracy over the draws and the variance of that mean.

        Args:
            rules: Some of `RULES`.
            at: The numbers of candidates.

        Returns:
            By rule, two arrays of shape (P, len(at)).
        """
        problems = len(self._group)
        shape = (problems, self._count, self._groups)
        counts, weights = np.zeros(shape), np.zeros(shape)
        best, right = np.full(shape, -np.inf), np.zeros(shape)
        first, first_best, first_right = np.full(shape, np.inf), np.full(shape, np.inf), np.zeros(shape)
        found = {rule: np.zeros((problems, self._count, len(at))) for rule in rules}
        p, r = np.ogrid[:problems, : self._count]
        for position in range(max(at)):
            candidate = self._order[:, :, position]
            place = (p, r, self._group[p, candidate])
            strength, is_right = self._strength[p, candidate], self._right[p, candidate]
            new = counts[place] == 0
            better = new | (strength > best[place])
            counts[place] += 1
            weights[place] += self._weights[p, candidate]
            first[place] = np.where(new, position, first[place])
            first_right[place] = np.where(new, is_right, first_right[place])
            best[place] = np.where(better, strength, best[place])
            first_best[place] = np.where(better, position, first_best[place])
            right[place] = np.where(better, is_right, right[place])
            if position + 1 in at:
                column = list(at).index(position + 1)
                state = (counts, weights, best, first, first_best)
                for rule in rules:
                    winner, there = _WINNERS[rule](*state)
                    chosen = np.take_along_axis(first_right if rule == "majority" else right, winner, 2)[:, :, 0]
                    found[rule][:, :, column] = chosen * there
        return {rule: (value.mean(1), value.var(1, ddof=1) / self._count) for rule, value in found.items()}


def _leader(eligible: Bools, keys: Sequence[Floats]) -> NDArray[np.int64]:
    """Returns the largest eligible group by the keys in turn, (P, R, 1); group 0 if none is eligible."""
    for key in keys:
        value = np.where(eligible, key, -np.inf)
        eligible = eligible & (value == value.max(2, keepdims=True))
    winner: NDArray[np.int64] = eligible.argmax(2, keepdims=True)
    return winner


def _argmax(counts: Floats, weights: Floats, best: Floats, first: Floats, first_best: Floats) -> Winner:
    there = counts > 0
    answered = there.copy()
    answered[:, :, -1] &= ~there[:, :, :-1].any(2)
    return _leader(answered, (best, counts, -first_best)), np.asarray(there.any(2))


def _weighted_vote(counts: Floats, weights: Floats, best: Floats, first: Floats, first_best: Floats) -> Winner:
    there = counts > 0
    voting = there.copy()
    voting[:, :, -1] &= ~there[:, :, :-1].any(2)
    return _leader(voting, (weights, -first)), np.asarray(there.any(2))


def _majority(counts: Floats, weights: Floats, best: Floats, first: Floats, first_best: Floats) -> Winner:
    voting = counts > 0
    voting[:, :, -1] = False
    return _leader(voting, (counts, -first)), np.asarray(voting.any(2))


_WINNERS = {"argmax": _argmax, "weighted_vote": _weighted_vote, "majority": _majority}
