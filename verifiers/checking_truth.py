"""The truth of every step of the simulated student who checks his sums: to grade labels with. For analysis only."""

from __future__ import annotations

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.embedded.checking_student import rights
from tts.tasks.arithmetic import Story
from verifiers.base import BaseVerifier


class CheckingTruth(BaseVerifier):
    """Scores every step of `policy=checking_student` 1 or 0, each by itself (`tts.embedded.checking_student.rights`)."""

    traits = VerifierTraits(lacks=("critiques",), reads_answers=True)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the true scores of all steps.

        Raises:
            UserError: The problem is not one of the arithmetic task.
        """
        try:
            story = Story.from_problem(problem)
        except (KeyError, TypeError):
            raise UserError(
                f"problem {problem.id} is not one of the generated arithmetic task, whose steps alone it knows the truth of"
            ) from None
        scores = tuple(map(float, rights(story, solution.steps)))
        return Verdict(scores, (Vote(scores),))
