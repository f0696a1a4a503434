"""Votes only until the verdict on a step is settled.

A step's verdict is settled when it is known, with a given confidence, on which side of the threshold all K votes would
put it. The test is exact for any number of votes and needs no model of the verifier:

- Curtailment: the remaining votes cannot change the side, whatever their values.
- Evidence: K votes that are cast independently of each other are exchangeable, so those seen are drawn from the K without
  replacement. If the K votes were on the other side, their mean would be at most m (the threshold), and the next vote's
  expected value at most c = (K m - sum of the n seen) / (K - n). So the wealth of a gambler who bets on higher values at
  these odds, the product of 1 + f (x / c - 1), is a non-negative supermartingale: by Ville's inequality it ever reaches
  1 / a with probability at most a. (Betting, sampling without replacement: Waudby-Smith and Ramdas, arXiv 2010.09686.)

Hence for every step, whatever its K votes, the probability over their order that the verdict is on a different side than
all K votes is at most 1 - confidence. This assumes that each vote has a score; votes without one are ignored, as in the
mean. With confidence 1 only curtailment remains, and the side is always that of all K votes.
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
"""The share of its wealth that the gambler bets. Betting all gains most if all votes agree but loses everything with the
first that does not; the guarantee holds for any share."""


@settings
class AdaptiveVotes(VoteRule):
    """Casts only as many votes on a step as its verdict needs, at most K.

    Votes are cast in order, each time the minimum number that could settle the verdict. Votes that judge step by step are
    each continued only as far as a step needs them. Further votes for later steps do not change an earlier step's score, so
    that continuing from a prior verdict gives the same result as judging everything at once. Votes that judge whole
    solutions are cast until every step is settled.

    Args:
        of: The verifier that votes.
        votes: K, the maximum number of votes on a step; None for the verifier's own.
        confidence: In [0, 1]: the confidence that a step's verdict is that of all K votes; see the module docstring.
        rule: As in `VoteRule`.
        threshold: The threshold at which the verdict is settled.
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
        """Judges the steps after those that `prior` judged; the state holds the votes' verdicts, some of them shorter."""
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
        """Casts votes, stored in `ballots`, until all steps from index `first` are settled; returns their scores.

        A vote that the budget did not allow counts as a vote without a score.

        Raises:
            LimitReached: The budget allowed none of the first votes.
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
        needed: A step is right if the mean of all K votes' values reaches this.
        confidence: 1 minus the bound on the probability of error.
    """

    votes: int
    needed: float
    confidence: float

    def wanted(self, values: Sequence[float], cast: int) -> int:
        """Returns the minimum number of further votes that could settle the verdict, 0 if it is settled.

        Args:
            values: The values of the votes that have one, in order.
            cast: Number of votes cast.
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
        # The best case of the other side; votes without a score would move the mean less.
        against = mean([*values, *[0.0 if right else 1.0] * left])
        if against is not None and (against >= self.needed) == right:
            return True
        pro, bound = (values, self.needed) if right else ([1 - value for value in values], 1 - self.needed)
        return wealth(pro, len(values) + left, bound) * (1 - self.confidence) >= 1


def wealth(values: Sequence[float], population: int, bound: float) -> float:
    """Returns the wealth of a gambler who starts with 1 and bets that the population's mean is above `bound`.

    Args:
        values: The values seen so far, each in [0, 1], drawn without replacement.
        population: Size of the population.
        bound: Upper bound of the mean under the hypothesis that is bet against.
    """
    made, total = 1.0, 0.0
    for number, value in enumerate(values):
        expected = (population * bound - total) / (population - number)
        if expected <= 0:
            break  # the values seen refute the hypothesis; curtailment decides
        made *= 1 + _STAKE * (value / expected - 1)
        total += value
    return made
