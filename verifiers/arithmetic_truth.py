"""The truth of every step in solutions of the embedded arithmetic task: to grade labels with. For analysis only."""

from __future__ import annotations

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.embedded.student import first_error
from verifiers.base import BaseVerifier


class ArithmeticTruth(BaseVerifier):
    """Scores 1 before the first wrong step, 0 at it, and stops there.

    A step is right when it carries out its own instruction on the true running total (`tts.embedded.student.first_error`).
    """

    traits = VerifierTraits(lacks=("critiques",), reads_answers=True, aggregators=("min", "prod"))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the true scores of the steps up to the first error.

        Raises:
            UserError: The problem is not one of the arithmetic task.
        """
        try:
            wrong = first_error(problem, solution.steps)
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"problem {problem.id} is not one of the generated arithmetic task, whose steps alone it knows the truth of"
            ) from None
        steps = len(solution.steps)
        # A solution that ends too early has its error at the missing step; a prefix has none.
        right = steps if wrong is None else min(wrong, steps)
        scores = (*(1.0,) * right, *(0.0,) * (right < steps))
        return Verdict(scores, (Vote(scores),), "min")
