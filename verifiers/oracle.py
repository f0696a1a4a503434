"""The oracle: it knows the reference answers. For analysis only, as the upper bound of any verifier."""

from __future__ import annotations

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.settings import SettingError, settings
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier


@settings
class OracleVerifier(BaseVerifier):
    """Scores 1 if the run's grader finds a solution right, else 0.

    With it, best-of-N has the accuracy "any of N". Summary and console mark such a run.

    Args:
        grader: The run's grader; passed by the command.

    Raises:
        UserError: The command has no grader, because it judges steps, which a reference answer cannot judge.
    """

    traits = VerifierTraits(lacks=("prefixes", "steps", "critiques"), reads_answers=True)

    def __init__(self, grader: Grader | None = None) -> None:
        if grader is None:
            raise SettingError("", "the oracle knows final answers, not steps: use it with python -m tts")
        self._grader = grader

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns one score for the whole solution.

        Raises:
            UserError: The problem has no reference answer.
        """
        right = await self._grader.right(solution, problem)
        if right is None:
            raise UserError(f"the oracle: problem {problem.id} has no reference answer")
        scores = (float(right),)
        return Verdict(scores, (Vote(scores),), "last")
