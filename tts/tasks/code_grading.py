"""Grading of code tasks: code is right where it passes its tests."""

from __future__ import annotations

from collections.abc import Sequence

from tts.budget import GRADER
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.sandbox.base import Sandbox
from tts.sandbox.metered import MeteredSandbox
from tts.tasks.code import PLACE, CodeCheck, asked_names, extract_code, same_code, tests_code


class CodeGrader(Grader):
    """Takes the code of a solution for its answer, runs the task's tests on it, and groups what is the same program.

    What that costs is charged to the role `grader`, for which no limit holds: a search that is at its limits is graded, too,
    and does not reach them sooner because it is.

    Args:
        sandbox: Where the tests run.

    Raises:
        UserError: The sandbox runs no code.
    """

    runs_code = True

    def __init__(self, sandbox: Sandbox) -> None:
        self._code = CodeCheck(MeteredSandbox(sandbox, GRADER))

    def check(self, reference: str) -> None:
        """Raises UserError where a reference answer is no test program."""
        if not tests_code(reference):
            raise UserError(
                f"grading=code: the task's answers are no programs that test code (no line of the first reads '{PLACE}'); "
                "choose grading=default"
            )

    def answer(self, solution: Solution) -> str | None:
        """Returns a solution's code, None where it has none or is not finished."""
        return extract_code(solution.text) if solution.finished else None

    async def right(self, solution: Solution, problem: Problem) -> bool | None:
        """As `Grader.right`; of several code blocks the one that defines the names in the tests is graded."""
        if solution.correct is not None or problem.answer is None or not solution.finished:
            return await super().right(solution, problem)
        return await self.correct(extract_code(solution.text, asked_names(problem.answer)), problem.answer)

    async def correct(self, answer: str | None, reference: str | None) -> bool | None:
        """Returns whether code passes the tests in `reference`, None where there are none. No code is wrong code.

        Raises:
            ProblemError: The tests cannot be run.
        """
        if reference is None or answer is None:
            return None if reference is None else False
        await self._code.start()
        return await self._code.passes(answer, reference)

    async def equivalent(self, a: str, b: str) -> bool:
        """Returns whether two codes differ in layout and comments at most."""
        return same_code(a) == same_code(b)

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        """Numbers the groups of codes that differ in layout and comments at most, by first appearance; None for None."""
        numbers: dict[str, int] = {}
        return tuple(
            None if answer is None else numbers.setdefault(same_code(answer), len(numbers)) for answer in answers
        )

    async def close(self) -> None:
        """Ends the sandbox's processes. Closing twice does nothing."""
        await self._code.close()
