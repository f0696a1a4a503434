"""The calculator as a verifier."""

from __future__ import annotations

from fractions import Fraction

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from verifiers.base import BaseVerifier
from verifiers.calculator.expression import Number
from verifiers.calculator.statements import statements


class Calculator(BaseVerifier):
    """Finds a step wrong if an equation between numbers in it is false; it uses no model and is deterministic.

    A step's score is 0 if a false statement is found, and 1 otherwise, even if nothing is stated.
    """

    def __init__(self) -> None:
        self._judgements: Judgements[float] = Judgements()

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Checks every step after those that `prior` judged; the critique lists the step's statements."""
        scores, critiques = (prior.scores, prior.votes[0].critiques) if prior is not None else ((), ())
        for step in solution.steps[len(scores) :]:
            score, critique = judge(step)
            scores, critiques = (*scores, score), (*critiques, critique)
            self._judgements.count()
        return Verdict(scores, (Vote(scores, critiques),), "min")


def judge(step: str) -> tuple[float, str]:
    """Returns the score of a step and its critique."""
    found = list(statements(step))
    lines = [f"{one.text}: {'right' if one.holds else 'wrong' + _shown(one.computed)}" for one in found]
    return float(all(one.holds for one in found)), "\n".join(lines) or "no equation between numbers"


def _shown(number: Number | None) -> str:
    if number is None:
        return ""
    exact = isinstance(number, Fraction) and number.denominator <= 1000
    return f", it is {number if exact else f'{float(number):.6g}'}"
