"""Judging no further once a step failed."""

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
    "it judges finished solutions only, but first_error_stop asks step by step",
)
_EXACT = Must(
    lambda name: name in FALLING,
    f"a step behind the first error could still change it; choose one of {', '.join(FALLING)}",
)


@settings
class FirstErrorStop(Combinator):
    """Judges a solution step by step and leaves the steps behind the first wrong one unjudged.

    It saves where the other judges step by step as well. One that judges beginnings as wholes is asked about each of them.

    The first error is the same as without. The solution's score can be used where no later step could lift it again: for
    scores in [0, 1], `min` and `prod` only fall with every step, so that a score that reaches the threshold is exact, and
    one that does not would not have reached it either. It then is an upper bound, and only the order among solutions below
    the threshold can change. With `last`, `mean`, `max` and `sum` a later step can make up for an error, and stopping
    would change what they mean.

    Args:
        of: The verifier.
        threshold: A step with a score below it is wrong.
        aggregator: How the step scores make a score, a key of `FALLING`.
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
        """Returns the verdict up to the first error; the state holds the other's verdict."""
        known = None if prior is None else cast(Verdict, prior.state)
        inner = await until_first_error(self._of.verify, problem, solution, known, self._threshold)
        return Verdict(inner.scores, inner.votes, self._aggregator, inner)
