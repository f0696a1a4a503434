"""Judging no further once a step failed."""

from __future__ import annotations

from dataclasses import replace

from tts.core.errors import UserError
from tts.core.values import Problem, Solution, Verdict
from tts.core.verifier import Verifier
from verifiers.combinator import Combinator, check_threshold, need_prefixes
from verifiers.stepwise import FALLING, until_first_error


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

    def __init__(self, of: Verifier, threshold: float = 0.5, aggregator: str = "min") -> None:
        check_threshold(threshold, "verifier.threshold")
        if aggregator not in FALLING:
            raise UserError(
                f"verifier.aggregator={aggregator}: a step behind the first error could still change it; "
                f"first_error_stop works with {' and '.join(FALLING)}"
            )
        need_prefixes(of, "verifier.of", "first_error_stop asks step by step")
        super().__init__({"of": of})
        self.traits = replace(self.traits, aggregators=FALLING)
        self._of, self._threshold, self._aggregator = of, threshold, aggregator

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the verdict up to the first error; the state holds the other's verdict."""
        inner = await until_first_error(
            self._of.verify, problem, solution, None if prior is None else prior.state, self._threshold
        )
        return Verdict(inner.scores, inner.votes, self._aggregator, inner)
