"""The interfaces of graders: what an answer is, which answers are the same, and which are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution


class Answers(Protocol):
    """Says what answers are and which are the same: all that a search strategy may ask."""

    def answer(self, solution: Solution) -> str | None:
        """Returns a solution's final answer, None where it has none or is not finished."""

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        """Numbers the groups of equivalent answers.

        Args:
            answers: One per candidate, None where it has no answer.

        Returns:
            For each answer the number of its group, counted by first appearance; None for None.
        """


class Grader(Answers, Protocol):
    """Says which answers are right. May be used from any number of coroutines.

    Attributes:
        runs_code: Whether it runs code in the sandbox, which is then started.
        failures: How often two answers counted as different because the check failed or took too long.
        unsure: How often they did because one of them was not understood.
    """

    runs_code: bool = False
    failures: int = 0
    unsure: int = 0

    def check(self, reference: str) -> None:
        """Raises UserError where it can do nothing with a reference answer like this one."""

    async def right(self, solution: Solution, problem: Problem) -> bool | None:
        """Returns whether a solution is right: what its source says of it or, where that says nothing, its answer."""
        if solution.correct is not None:
            return solution.correct
        return await self.correct(self.answer(solution), problem.answer)

    async def correct(self, answer: str | None, reference: str | None) -> bool | None:
        """Returns whether an answer is right, None where there is no reference. No answer is a wrong answer.

        Raises:
            ProblemError: This reference cannot be compared with anything.
        """

    async def equivalent(self, a: str, b: str) -> bool:
        """Returns whether two answers are equivalent; symmetric."""

    async def close(self) -> None:
        """Ends what was started. Closing twice does nothing."""
