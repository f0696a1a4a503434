"""The oracle: it knows the reference answers. For analysis alone, as the bound of what any verifier can reach."""

from __future__ import annotations

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.settings import SettingError, settings
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier


@settings
class OracleVerifier(BaseVerifier):
    """Scores 1 where a solution is right, as the run's grader has it, else 0.

    With it best-of-N has the accuracy "any of N". Summary and console mark such a run.

    Args:
        grader: The run's grader; given by the command.

    Raises:
        UserError: The command has none: it judges steps, of which a reference answer says nothing.
    """

    traits = VerifierTraits(lacks=("prefixes", "steps", "critiques"), reads_answers=True)

    def __init__(self, grader: Grader | None = None) -> None:
        if grader is None:
            raise SettingError("", "the oracle knows final answers, not steps: use it with python -m tts")
        self._grader = grader

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns one score, of the whole solution.

        Raises:
            UserError: The problem has no reference answer.
        """
        right = await self._grader.right(solution, problem)
        if right is None:
            raise UserError(f"the oracle: problem {problem.id} has no reference answer")
        scores = (float(right),)
        return Verdict(scores, (Vote(scores),), "last")
