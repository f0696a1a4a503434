"""Stops judging a solution at its first wrong step."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, cast

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import Aggregator
from tts.core.settings import Must, PositiveProbability, settings
from tts.core.verifier import Verifier
from verifiers.combinator import Combinator
from verifiers.stepwise import FALLING, until_first_error

_ASKED_EARLY = Must(
    lambda verifier: "prefixes" not in verifier.traits.lacks,
    "it judges finished solutions only, but first_error_stop judges step by step",
)
_EXACT = Must(
    lambda name: name in FALLING,
    f"a step after the first error could still change it; choose one of {', '.join(FALLING)}",
)


@settings
class FirstErrorStop(Combinator):
    """Judges a solution step by step and leaves the steps after the first wrong one unjudged.

    This saves work if the inner verifier judges step by step; one that judges prefixes as wholes is called for each prefix.

    The first error does not change. The solution's score is usable only if later steps cannot raise it: for scores in
    [0, 1], `min` and `prod` fall with every step, so that a score that reaches the threshold is exact, and a score below it
    is an upper bound that would not have reached it either; only the order among solutions below the threshold can change.
    With `last`, `mean`, `max` and `sum` a later step can make up for an error, and stopping would change their meaning.

    Args:
        of: The verifier.
        threshold: A step with a score below it is wrong.
        aggregator: How step scores are combined, one of `FALLING`.
    """

    def __init__(
        self,
        of: Annotated[Verifier, _ASKED_EARLY],
        threshold: PositiveProbability = 0.5,
        aggregator: Annotated[Aggregator, _EXACT] = "min",
    ) -> None:
        super().__init__({"of": of})
        self.traits = replace(self.traits, aggregators=FALLING)
        self._of, self._threshold, self._aggregator = of, threshold, aggregator

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the verdict up to the first error; the state holds the inner verifier's verdict."""
        known = None if prior is None else cast(Verdict, prior.state)
        inner = await until_first_error(self._of.verify, problem, solution, known, self._threshold)
        return Verdict(inner.scores, inner.votes, self._aggregator, inner)

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        """Returns a vote of the inner verifier up to its first error."""

        async def voted(problem: Problem, beginning: Solution, prior: Verdict | None) -> Verdict:
            return await self._of.vote(problem, beginning, number)

        inner = await until_first_error(voted, problem, solution, None, self._threshold)
        return Verdict(inner.scores, inner.votes, self._aggregator, inner)
