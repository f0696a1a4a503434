"""Verifiers whose verdict is the mean of independent votes, each of which can be requested separately."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import zip_longest

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import Aggregator, aggregate
from tts.core.settings import PositiveInt, settings
from tts.core.traits import Ratings
from verifiers.base import BaseVerifier
from verifiers.parts import parts_of
from verifiers.within_budget import gather_within_budget, require_any


@settings
class VotingVerifier(BaseVerifier, ABC):
    """Judges by K votes; a step's score is the mean over the votes that score it.

    Attributes:
        by_step: Whether a vote judges step by step, so that continuing from a prior verdict costs only the new steps;
            otherwise it judges whole solutions, a longer one again from its beginning.

    Args:
        votes: K.
        aggregator: The verifier's published aggregator of step scores.
    """

    by_step: bool = True

    def __init__(self, votes: PositiveInt, aggregator: Aggregator) -> None:
        self.votes = votes
        self.aggregator = aggregator

    @abstractmethod
    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        """Returns the verdict of a single vote.

        It depends only on the problem, the solution and `number`: votes may be requested in any order and in any number,
        even more than K.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            number: Index of the vote, from 0.
            prior: This vote's own verdict on a solution whose steps are the first steps of this one.

        Returns:
            A verdict with exactly one `Vote`, its scores, and as `state` what this vote needs to continue.
        """

    async def compare(self, problem: Problem, first: Solution, second: Solution, number: int) -> Ratings:
        """Rates each of two solutions by its own vote `number`, cut to [0, 1]: the control for reading both at once.

        Subclasses declare it in their traits.

        Raises:
            LimitReached: The budget allowed neither vote.
        """
        votes = await gather_within_budget(*(self.vote(problem, each, number) for each in (first, second)))
        require_any(votes)
        one, other = (None if vote is None else self._rating(vote) for vote in votes)
        return one, other

    def _rating(self, vote: Verdict) -> float | None:
        score = aggregate(vote.scores, self.aggregator)
        return None if score is None else min(1.0, max(0.0, score))

    @abstractmethod
    def token_bound(self, steps: int) -> int | None:
        """Returns the maximum completion tokens of K votes on `steps` steps, None if there is no bound."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the mean of all K votes, which are cast concurrently; the state holds their verdicts.

        Raises:
            LimitReached: The budget did not allow a single vote; if it allowed some, the verdict is their mean.
        """
        votes = await gather_within_budget(
            *(self.vote(problem, solution, number, own) for number, own in enumerate(parts_of(prior, self.votes)))
        )
        return merged(votes, self.aggregator)


def merged(votes: Sequence[Verdict | None], aggregator: str) -> Verdict:
    """Merges single votes into one verdict.

    Args:
        votes: One verdict per vote, None if the budget did not allow it; a vote that ends early does not count for later
            steps.
        aggregator: The verdict's aggregator.

    Returns:
        A verdict whose step scores are the means over the votes that have one, None if none has; its state is `votes`.

    Raises:
        LimitReached: There is no vote.
    """
    cast = require_any(votes)
    scores = tuple(mean(step) for step in zip_longest(*(vote.scores for vote in cast)))
    return Verdict(scores, tuple(single for vote in cast for single in vote.votes), aggregator, tuple(votes))


def mean(scores: Sequence[float | None]) -> float | None:
    """Returns the mean of the scores that are not None, None if all are."""
    usable = [score for score in scores if score is not None]
    return math.fsum(usable) / len(usable) if usable else None
