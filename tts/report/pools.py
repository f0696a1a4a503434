"""Pools: N candidates of each problem that are independent samples, so that any n of them represent a run of n."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.evaluation.record import SolutionRow

Floats = NDArray[np.float64]

_SCALE = 1e9  # records hold nine digits of a score; sums of integers do not depend on their order


@dataclass(frozen=True)
class Pool:
    """The candidates of P problems, N each.

    Attributes:
        groups: (P, N) groups of equivalent answers, -1 if a candidate has no answer.
        right: (P, N) whether a candidate is right.
        scores: (P, N) scores, NaN where there is none; all NaN if nothing was verified.
        votes: (P, N, K, S) the K votes on each of up to S steps, a candidate's last step last, NaN where there is none;
            None if the scores do not follow from votes.
        aggregator: The aggregator of step scores, if there are votes.
    """

    groups: NDArray[np.int64]
    right: NDArray[np.bool_]
    scores: Floats
    votes: Floats | None = None
    aggregator: str | None = None

    @property
    def n(self) -> int:
        """Candidates per problem, N."""
        return int(self.groups.shape[1])

    @property
    def verified(self) -> bool:
        """Whether any candidate has a score."""
        return not bool(np.isnan(self.scores).all())

    @property
    def voted(self) -> Pool:
        """The pool as rules that vote see it: a candidate with an answer is right if most candidates with that answer are.

        So an answer is right or wrong whichever of its candidates are drawn, as in `tts.core.selection.right_answer`.
        """
        row, answered = np.arange(len(self.groups))[:, None], self.groups >= 0
        counts = np.zeros((2, len(self.groups), int(self.groups.max(initial=0)) + 1), np.int64)
        for count, members in zip(counts, (answered, answered & self.right), strict=True):
            np.add.at(count, (row, np.maximum(self.groups, 0)), members)
        most = (2 * counts[1] > counts[0])[row, np.maximum(self.groups, 0)]
        return replace(self, right=np.where(answered, most, self.right))

    def of(self, rows: NDArray[np.bool_]) -> Pool:
        """Returns the pool of some of the problems."""
        return replace(self, groups=self.groups[rows], right=self.right[rows], scores=self.scores[rows], votes=None)


def sizes(n: int) -> tuple[int, ...]:
    """Returns the numbers of candidates at which a curve is shown: all up to 16, then growing by a quarter, and n."""
    found = list(range(1, min(n, 16) + 1))
    while found[-1] < n:
        found.append(min(n, math.ceil(found[-1] * 1.25)))
    return tuple(found)


def doublings(n: int) -> tuple[int, ...]:
    """Returns the powers of two below n, and n."""
    return (*(2**i for i in range((n - 1).bit_length())), n)


def pool_of(problems: Sequence[Sequence[SolutionRow]]) -> Pool | None:
    """Returns the pool of recorded candidates, None if they do not form one.

    They do if every problem has the same number of candidates, at least two, that are the samples 0 to N-1 of one
    prefix. So searches over steps, searches that stop early, and searches that a budget ended have no pool.

    Args:
        problems: The `solutions` of each record.
    """
    n = len(problems[0]) if problems else 0
    if n < 2 or any([s["index"] for s in solutions] != list(range(n)) for solutions in problems):
        return None
    pool = Pool(
        groups=np.array([[-1 if s["group"] is None else s["group"] for s in row] for row in problems], np.int64),
        right=np.array([[s["correct"] for s in row] for row in problems], bool),
        scores=np.array([[_number(s.get("score")) for s in row] for row in problems], float),
    )
    votes = _votes(problems)
    if votes is None:
        return pool
    for rule in VECTORISED:
        # The scores' aggregator is not recorded; any that reproduces all of them is equally good.
        if np.allclose(vote_scores(votes, rule), pool.scores, rtol=0, atol=1e-6, equal_nan=True):
            return replace(pool, votes=votes, aggregator=rule)
    return pool


def vote_scores(votes: Floats, aggregator: str) -> Floats:
    """Returns candidates' scores as a verifier computes them from votes: the mean vote per step, aggregated over steps.

    Args:
        votes: (..., K, S), the last step last, with NaN where there is no vote.
        aggregator: A key of `VECTORISED`.
    """
    there = ~np.isnan(votes)
    counts = there.sum(-2)
    steps = np.where(counts > 0, np.where(there, votes, 0.0).sum(-2) / np.maximum(counts, 1), np.nan)
    usable = ~np.isnan(steps)
    return np.where(usable.any(-1), VECTORISED[aggregator](steps, usable), np.nan)


VECTORISED: dict[str, Callable[[Floats, NDArray[np.bool_]], Floats]] = {
    "last": lambda steps, usable: steps[..., -1],
    "min": lambda steps, usable: np.where(usable, steps, np.inf).min(-1),
    "max": lambda steps, usable: np.where(usable, steps, -np.inf).max(-1),
    "mean": lambda steps, usable: np.where(usable, steps, 0.0).sum(-1) / np.maximum(usable.sum(-1), 1),
    "prod": lambda steps, usable: np.where(usable, steps, 1.0).prod(-1),
    "sum": lambda steps, usable: np.where(usable, steps, 0.0).sum(-1),
}
"""`tts.core.aggregate.AGGREGATORS` over the last axis, for (..., S) steps and a mask of those with a score."""


def whole(scores: Floats) -> Floats:
    """Returns scores as integers, exact to the digits that records hold; 0 where there is none."""
    return np.rint(np.where(np.isnan(scores), 0.0, scores) * _SCALE)


def _votes(problems: Sequence[Sequence[SolutionRow]]) -> Floats | None:
    flat: list[list[list[float | None]]] = [s.get("votes") or [] for row in problems for s in row]
    k = max(map(len, flat))
    length = max((len(vote) for votes in flat for vote in votes), default=0)
    if not k or not length or any(len(votes) != k for votes in flat):
        return None
    filled = [_aligned(votes, length) for votes in flat]
    return np.array(filled, float).reshape(len(problems), -1, k, length)


def _aligned(votes: list[list[float | None]], length: int) -> list[list[float | None]]:
    """Pads a candidate's votes so that its last step comes last, whatever other candidates' lengths."""
    own = max(map(len, votes))
    return [[None] * (length - own) + vote + [None] * (own - len(vote)) for vote in votes]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
