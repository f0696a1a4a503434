"""The accuracy of best-of-N, weighted vote and majority is what probability theory says, to the last fraction.

A policy here draws solutions of a few kinds, each with a known probability, answer and step scores. The strategy is run on
every n-tuple of kinds that can be drawn; the reference counts multinomials and never looks at an order.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.best_of_n import BestOfN
from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.core import Problem
from tts.core.aggregate import AGGREGATORS

PROBLEM = Problem("p", "?", "1")


@dataclass(frozen=True)
class Kind:
    """A solution that the policy may write; an empty answer is one that was cut. Scores are in eighths."""

    weight: int
    answer: str
    eighths: tuple[int | None, ...]

    @property
    def scores(self) -> tuple[float | None, ...]:
        return tuple(None if eighth is None else eighth / 8 for eighth in self.eighths)

    def score(self, aggregator: str) -> Fraction | None:
        """The aggregated score, exactly."""
        known = [Fraction(eighth, 8) for eighth in self.eighths if eighth is not None]
        if not known or (aggregator == "last" and self.eighths[-1] is None):
            return None
        return {
            "last": known[-1],
            "min": min(known),
            "max": max(known),
            "mean": sum(known, Fraction()) / len(known),
            "prod": math.prod(known, start=Fraction(1)),
            "sum": sum(known, Fraction()),
        }[aggregator]


kinds_ = st.lists(
    st.builds(
        Kind,
        weight=st.integers(1, 4),
        answer=st.sampled_from(["1", "1", "2", "3", ""]),
        # One, two or four scores: their mean in floating point is exact.
        eighths=st.sampled_from([1, 2, 4]).flatmap(
            lambda steps: st.lists(st.none() | st.integers(0, 8), min_size=steps, max_size=steps).map(tuple)
        ),
    ).filter(lambda kind: sum(eighth is not None for eighth in kind.eighths) != 3),
    min_size=2,
    max_size=4,
)

Winners = Callable[[Counter[Kind], str], list[Kind]]


def by_votes(drawn: Counter[Kind], aggregator: str) -> list[Kind]:
    """Returns the kinds with an answer than which none is more frequent."""
    votes: Counter[str] = Counter()
    for kind in drawn.elements():
        votes[kind.answer] += bool(kind.answer)
    return [kind for kind in drawn if kind.answer and votes[kind.answer] == max(votes.values())]


def by_best_score(drawn: Counter[Kind], aggregator: str) -> list[Kind]:
    """Returns the kinds with the highest score; of equals those with the most frequent answer."""
    scores = {kind: kind.score(aggregator) for kind in drawn if kind.answer}
    best = max((score for score in scores.values() if score is not None), default=None)
    tied = [kind for kind, score in scores.items() if score == best]
    frequent = Counter(kind.answer for kind in drawn.elements())
    most = max((frequent[kind.answer] for kind in tied), default=0)
    return [kind for kind in tied if frequent[kind.answer] == most]


def by_weighted_votes(drawn: Counter[Kind], aggregator: str) -> list[Kind]:
    """Returns the kinds with an answer than which none has a larger sum of scores."""
    votes: Counter[str] = Counter()
    for kind in drawn.elements():
        votes[kind.answer] += kind.score(aggregator) or Fraction()  # type: ignore[assignment]
    answered = [kind for kind in drawn if kind.answer]
    most = max((votes[kind.answer] for kind in answered), default=None)
    return [kind for kind in answered if votes[kind.answer] == most]


def expected_accuracy(kinds: Sequence[Kind], n: int, winners: Winners, aggregator: str) -> Fraction:
    """Sums over how often each kind is drawn; the first of tied solutions wins, and each is as likely the first."""
    total, accuracy = sum(kind.weight for kind in kinds), Fraction()
    for counts in itertools.product(range(n + 1), repeat=len(kinds)):
        if sum(counts) != n:
            continue
        drawn = Counter({kind: count for kind, count in zip(kinds, counts, strict=True) if count})
        orders = math.factorial(n) // math.prod(map(math.factorial, counts))
        chance = Fraction(orders * math.prod(kind.weight**count for kind, count in drawn.items()), total**n)
        tied = winners(drawn, aggregator)
        right = sum(drawn[kind] for kind in tied if kind.answer == "1")
        accuracy += chance * Fraction(right, max(1, sum(drawn[kind] for kind in tied)))
    return accuracy


def tuples(kinds: Sequence[Kind], n: int) -> Iterator[tuple[tuple[Kind, ...], Fraction]]:
    """Yields all that n samples can be, with its probability."""
    total = sum(kind.weight for kind in kinds)
    for drawn in itertools.product(kinds, repeat=n):
        yield drawn, Fraction(math.prod(kind.weight for kind in drawn), total**n)


async def accuracy_of(strategy: Any, kinds: Sequence[Kind], n: int) -> Fraction:
    accuracy = Fraction()
    for drawn, chance in tuples(kinds, n):
        policy = GivenPolicy([kind.answer for kind in drawn], range(n))
        verifier = GivenVerifier([kind.scores for kind in drawn])
        result = await strategy.search(PROBLEM, policy, verifier, PlainGrader())
        accuracy += chance * (result.answer == PROBLEM.answer)
    return accuracy


@pytest.mark.parametrize("aggregator", AGGREGATORS)
@pytest.mark.parametrize(("selection", "winners"), [("argmax", by_best_score), ("weighted_vote", by_weighted_votes)])
@settings(max_examples=40)
@given(kinds=kinds_, n=st.integers(1, 3))
async def test_best_of_n_is_as_accurate_as_it_must_be(
    aggregator: str, selection: str, winners: Winners, kinds: list[Kind], n: int
) -> None:
    kinds = list(dict.fromkeys(kinds))
    found = await accuracy_of(BestOfN(n, aggregator=aggregator, selection=selection), kinds, n)
    assert found == expected_accuracy(kinds, n, winners, aggregator)


@settings(max_examples=60)
@given(kinds=kinds_, n=st.integers(1, 4))
async def test_majority_is_as_accurate_as_it_must_be(kinds: list[Kind], n: int) -> None:
    kinds = list(dict.fromkeys(kinds))
    exact = expected_accuracy(kinds, n, by_votes, "min")
    assert await accuracy_of(Majority(n), kinds, n) == exact
    assert await accuracy_of(Majority(n, stop_when_settled=True), kinds, n) == exact


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
async def test_best_of_n_is_the_textbooks_order_statistic(n: int) -> None:
    """Without ties the k-th best kind is chosen with probability P(none better)^n - P(none as good or better)^n."""
    kinds = [Kind(3, "2", (8,)), Kind(2, "1", (6,)), Kind(4, "3", (4,)), Kind(1, "1", (2,)), Kind(5, "", (7,))]
    exact = Fraction()
    for rank, kind in enumerate(kinds):
        at_most = Fraction(sum(other.weight for other in kinds[rank:]), 15)
        below = Fraction(sum(other.weight for other in kinds[rank + 1 :]), 15)
        exact += (at_most**n - below**n) * (kind.answer == "1")
    assert await accuracy_of(BestOfN(n, aggregator="min"), kinds, n) == exact
