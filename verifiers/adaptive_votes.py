"""Votes only until the verdict on a step is settled.

A step's verdict is settled when it can be said, with a given confidence, on which side of the threshold all K votes would
put it. The test is exact for any number of votes and needs no model of the verifier:

- Curtailment: the votes that are left cannot change the side, whatever they say.
- Evidence: K votes that are cast independently of each other are exchangeable, so those seen are drawn from the K without
  replacement. Were the K on the other side, their mean would be at most m (the threshold), and the next vote's expected
  value at most c = (K m - sum of the n seen) / (K - n). So the wealth of a gambler who bets on higher values at these odds,
  the product of 1 + f (x / c - 1), is a non-negative supermartingale: by Ville's inequality it ever reaches 1 / a with
  probability at most a. (Betting, sampling without replacement: Waudby-Smith and Ramdas, arXiv 2010.09686.)

Hence for every step, whatever the K votes on it are, the probability over their order that the verdict is on another side
than that of all K is at most 1 - confidence. It assumes that each vote has a score; votes without one have no part, as in
the mean. With confidence 1 only curtailment is left, and the side is always that of all K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tts.core import Problem, Solution, Verdict
from tts.core.settings import OneOf, PositiveInt, PositiveProbability, Probability, settings
from verifiers.parts import parts_of
from verifiers.stepwise import beginning, judged_steps
from verifiers.vote_rule import RULES, VoteRule, by_steps
from verifiers.voting import VotingVerifier, mean

_STAKE = 0.9
"""What part of its wealth the gambler risks. All of it wins most where all votes agree, and is lost with the first that does
not; the guarantee holds for any part."""


@settings
class AdaptiveVotes(VoteRule):
    """Asks for no more votes on a step than its verdict needs, and for up to K.

    Votes are asked for in their order, as many at once as are needed at the least. Where they are chains that judge step
    after step, each goes on only as far as a step needs it. What later steps then need of further chains changes no earlier
    step's score, so that going on from a prior verdict and judging at once come to the same. Where votes judge solutions as
    wholes, they are cast until every step is settled.

    Args:
        of: Whose votes.
        votes: K, the most votes on a step; None for the other's own.
        confidence: In [0, 1]: with which a step's verdict is the one of all K votes; see the module.
        rule: As in `VoteRule`.
        threshold: At which the verdict is to be settled.
    """

    def __init__(
        self,
        of: VotingVerifier,
        votes: PositiveInt | None = None,
        confidence: Probability = 0.9,
        rule: Annotated[str, OneOf(RULES)] = "mean",
        threshold: PositiveProbability = 0.5,
    ) -> None:
        super().__init__(of, votes, rule, threshold)
        self._test = SequentialTest(self.votes, self._rule.needed(threshold), confidence)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges the steps behind those that `prior` judged; the state holds the votes' verdicts, some of them shorter."""
        ballots: list[Verdict | None] = []
        if not self._of.by_step:
            return self._verdict(await self._settle(problem, solution, 0, ballots), ballots)
        scores: list[float | None] = []
        if prior is not None:
            ballots, scores = list(parts_of(prior)), list(prior.scores)
        for step in range(len(scores), len(judged_steps(solution))):
            scores += await self._settle(problem, beginning(solution, step + 1), step, ballots)
        return self._verdict(scores, ballots)

    async def _settle(
        self, problem: Problem, solution: Solution, first: int, ballots: list[Verdict | None]
    ) -> list[float | None]:
        """Casts votes, and keeps them in `ballots`, until the steps from `first` on are settled; returns their scores.

        A vote that the budget did not allow is one without a score.

        Raises:
            LimitReached: It did not allow a single one of those that were wanted first.
        """
        cast = 0
        said: list[tuple[float | None, ...]] = [()]
        while more := max((self._test.wanted(self._values(votes), cast) for votes in said), default=0):
            ballots[cast : cast + more] = await self._cast(problem, solution, range(cast, cast + more), ballots)
            cast += more
            said = by_steps(ballots[:cast])[first:]
        return [self._score(votes) for votes in said]


@dataclass(frozen=True)
class SequentialTest:
    """The sequential test of the module's docstring.

    Attributes:
        votes: K.
        needed: The mean of the values of all K votes from which on a step is right.
        confidence: One less the bound of the error.
    """

    votes: int
    needed: float
    confidence: float

    def wanted(self, values: Sequence[float], cast: int) -> int:
        """Returns the fewest further votes that could settle the verdict, 0 where it is settled.

        Args:
            values: Of the votes that have one, in their order.
            cast: How many votes were cast.
        """
        extremes = ([bit] * self.votes for bit in (0.0, 1.0))
        return min(
            next(n for n in range(self.votes - cast + 1) if self.settled([*values, *more[:n]], cast + n))
            for more in extremes
        )

    def settled(self, values: Sequence[float], cast: int) -> bool:
        """Whether no further vote is needed."""
        left = self.votes - cast
        now = mean(values)
        if left == 0 or now is None:
            return left == 0
        right = now >= self.needed
        # The other side's best case; votes without a score would move the mean less.
        against = mean([*values, *[0.0 if right else 1.0] * left])
        if against is not None and (against >= self.needed) == right:
            return True
        pro, bound = (values, self.needed) if right else ([1 - value for value in values], 1 - self.needed)
        return wealth(pro, len(values) + left, bound) * (1 - self.confidence) >= 1


def wealth(values: Sequence[float], population: int, bound: float) -> float:
    """Returns what a gambler has made of 1 who bets that the population's mean is above `bound`.

    Args:
        values: Those seen so far, each in [0, 1], drawn without replacement.
        population: How many values there are.
        bound: What the mean is at most, by the hypothesis that is bet against.
    """
    made, total = 1.0, 0.0
    for number, value in enumerate(values):
        expected = (population * bound - total) / (population - number)
        if expected <= 0:
            break  # the hypothesis is refuted by what was seen; curtailment has the say
        made *= 1 + _STAKE * (value / expected - 1)
        total += value
    return made
