"""Rules that combine the votes on a step into its score: mean, majority, or minimum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from tts.core import Problem, Solution, Verdict
from tts.core.settings import OneOf, PositiveInt, PositiveProbability, settings
from verifiers.combinator import Combinator, score_at
from verifiers.parts import parts_of
from verifiers.voting import VotingVerifier, mean
from verifiers.within_budget import gather_within_budget, require_any


@dataclass(frozen=True)
class Rule:
    """A rule that turns the votes on a step into its score.

    The step is right if the mean of the votes' values reaches `needed`; its score is then on the same side of the threshold
    (`majority`: of one half).

    Attributes:
        value: Maps a vote's score and the threshold to its value in [0, 1].
        needed: Maps the threshold to the mean that the values must reach.
        score: Maps the votes' scores and values to the step's score.
    """

    value: Callable[[float, float], float]
    needed: Callable[[float], float]
    score: Callable[[Sequence[float], Sequence[float]], float | None]


def _hard(score: float, threshold: float) -> float:
    return float(score >= threshold)


RULES = {
    "mean": Rule(lambda score, threshold: score, lambda threshold: threshold, lambda scores, values: mean(values)),
    "majority": Rule(_hard, lambda threshold: 0.5, lambda scores, values: mean(values)),
    "min": Rule(_hard, lambda threshold: 1.0, lambda scores, values: min(scores)),
}


@settings
class VoteRule(Combinator):
    """Combines the votes of another verifier by a different rule.

    Args:
        of: The verifier that votes.
        votes: K; None for the verifier's own.
        rule: `mean` of the votes' scores (paper, eq. 7); `majority`: the share of the votes whose score reaches the
            threshold; `min`: the lowest score.
        threshold: The lowest score with which a vote counts a step as right.
    """

    def __init__(
        self,
        of: VotingVerifier,
        votes: PositiveInt | None = None,
        rule: Annotated[str, OneOf(RULES)] = "mean",
        threshold: PositiveProbability = 0.5,
    ) -> None:
        super().__init__({"of": of})
        # It stops at the first error where all of its votes do.
        self.traits = replace(self.traits, aggregators=of.traits.aggregators)
        self._of = of
        self.votes = of.votes if votes is None else votes
        self._rule = RULES[rule]
        self._threshold = threshold

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of K votes."""
        bound = self._of.token_bound(steps)
        return None if bound is None else -(-bound * self.votes // self._of.votes)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Applies the rule to K votes, which are cast concurrently; the state holds their verdicts.

        Raises:
            LimitReached: The budget did not allow a single vote; if it allowed some, those count.
        """
        ballots = await self._cast(problem, solution, range(self.votes), parts_of(prior))
        return self._verdict([self._score(said) for said in by_steps(ballots)], ballots)

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        """Returns a single vote; no rule applies."""
        return await self._of.vote(problem, solution, number)

    async def _cast(
        self, problem: Problem, solution: Solution, numbers: Iterable[int], priors: Sequence[Verdict | None]
    ) -> list[Verdict | None]:
        """Returns the votes with these numbers, each continued from its own prior verdict if there is one.

        A vote that the budget did not allow is None.
        """
        own = dict(enumerate(priors))
        return await gather_within_budget(
            *(self._of.vote(problem, solution, number, own.get(number)) for number in numbers)
        )

    def _score(self, said: Sequence[float | None]) -> float | None:
        """Returns a step's score from the votes' scores."""
        scores = [score for score in said if score is not None]
        return self._rule.score(scores, self._values(said)) if scores else None

    def _values(self, said: Sequence[float | None]) -> list[float]:
        return [self._rule.value(score, self._threshold) for score in said if score is not None]

    def _verdict(self, scores: Sequence[float | None], ballots: Sequence[Verdict | None]) -> Verdict:
        votes = tuple(single for ballot in require_any(ballots) for single in ballot.votes)
        return Verdict(tuple(scores), votes, self._of.aggregator, tuple(ballots))


def by_steps(ballots: Sequence[Verdict | None]) -> list[tuple[float | None, ...]]:
    """Returns each vote's score for every step; a vote that ended earlier, at an error, keeps its last score.

    Raises:
        LimitReached: The budget did not allow a single vote.
    """
    cast = require_any(ballots)
    steps = max((len(ballot.scores) for ballot in cast), default=0)
    return [tuple(score_at(ballot, step) for ballot in cast) for step in range(steps)]
