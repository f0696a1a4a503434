"""Unit tests as a verifier of code: a solution scores 1 if its code passes them, else 0."""

from __future__ import annotations

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import settings
from tts.core.traits import VerifierTraits
from tts.sandbox.base import Sandbox
from tts.tasks.code import CodeCheck, asked_names, extract_code
from verifiers.base import BaseVerifier
from verifiers.code_tests import tests_of


@settings
class UnitTestVerifier(BaseVerifier):
    """Runs a solution's code with tests in the sandbox; see `tts.tasks.code` for the form of tests.

    Args:
        sandbox: Runs the code.
        tests: The field of a problem's metadata that holds the test program (kept by `task.keep`): tests that a solver may
            know, such as the examples of the question. None for the reference answer itself, which makes this the oracle
            of code tasks; summary and console then mark the run.

    Raises:
        UserError: The sandbox runs no code.
    """

    def __init__(self, sandbox: Sandbox, tests: str | None = None) -> None:
        self._check = CodeCheck(sandbox)
        self._judgements: Judgements[Verdict] = Judgements()
        self._field = tests
        self.traits = VerifierTraits(("prefixes", "steps", "critiques"), reads_answers=tests is None, runs_code=True)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns one score for the whole solution; 0 if it has no code or is not finished.

        Raises:
            UserError: The problem has no tests.
            ProblemError: The tests cannot be run.
        """
        program = tests_of(problem, self._field, "unit tests")
        code = extract_code(solution.text, asked_names(program)) if solution.finished else None
        self._judgements.count()
        return _verdict(0.0 if code is None else float(await self._check.passes(code, program)))


def _verdict(score: float) -> Verdict:
    return Verdict((score,), (Vote((score,)),), "last")
