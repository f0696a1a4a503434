"""Verifiers whose verdict is the mean of independent votes, each of which can be asked for alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import zip_longest

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import Aggregator
from tts.core.settings import PositiveInt, settings
from verifiers.base import BaseVerifier
from verifiers.parts import parts_of
from verifiers.within_budget import gather_within_budget, require_any


@settings
class VotingVerifier(BaseVerifier, ABC):
    """Judges by K votes; the score of a step is the mean over the votes that have one.

    Attributes:
        by_step: Whether a vote judges step after step, so that going on from a prior verdict costs the new steps alone; else
            it judges solutions as wholes, and a longer one from its beginning.

    Args:
        votes: K.
        aggregator: The verifier's published way to make one score of the steps' scores.
    """

    by_step: bool = True

    def __init__(self, votes: PositiveInt, aggregator: Aggregator) -> None:
        self.votes = votes
        self.aggregator = aggregator

    @abstractmethod
    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        """Returns the verdict of one vote alone.

        It depends on nothing but the problem, the solution and `number`: votes may be asked for in any order and any number
        of them, more than K included.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            number: Which vote, from 0.
            prior: This vote's own verdict on a solution whose steps are the first steps of this one.

        Returns:
            A verdict with exactly one `Vote`, its scores, and as `state` what this vote needs to go on.
        """

    @abstractmethod
    def token_bound(self, steps: int) -> int | None:
        """Returns the most completion tokens that K votes on `steps` steps can take, None where there is no bound."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the mean of all K votes, which are cast concurrently; the state holds their verdicts.

        Raises:
            LimitReached: The budget did not allow a single vote; where it allowed some, those make the verdict.
        """
        votes = await gather_within_budget(
            *(self.vote(problem, solution, number, own) for number, own in enumerate(parts_of(prior, self.votes)))
        )
        return merged(votes, self.aggregator)


def merged(votes: Sequence[Verdict | None], aggregator: str) -> Verdict:
    """Returns the verdict that single votes make together.

    Args:
        votes: One verdict each, None where the budget did not allow it; those that end early have no part in the steps
            behind.
        aggregator: The verdict's aggregator.

    Returns:
        Step scores are the means over the votes that have one, None where none has; the state is `votes`.

    Raises:
        LimitReached: There is no vote.
    """
    cast = require_any(votes)
    scores = tuple(mean(step) for step in zip_longest(*(vote.scores for vote in cast)))
    return Verdict(scores, tuple(single for vote in cast for single in vote.votes), aggregator, tuple(votes))


def mean(scores: Sequence[float | None]) -> float | None:
    """Returns the mean of the scores that are there, None where none is."""
    usable = [score for score in scores if score is not None]
    return math.fsum(usable) / len(usable) if usable else None
