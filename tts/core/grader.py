"""The interfaces of graders: they extract answers, compare them, and decide which are correct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution


class Answers(Protocol):
    """Extracts and compares answers: the part of a grader that search strategies may use."""

    def answer(self, solution: Solution) -> str | None:
        """Returns a solution's final answer, None if it has none or is not finished."""

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        """Numbers the groups of equivalent answers.

        Args:
            answers: One per candidate, None if it has no answer.

        Returns:
            For each answer the number of its group, numbered by first appearance; None for None.
        """


class Grader(Answers, Protocol):
    """Decides which answers are correct. May be used from any number of coroutines.

    Attributes:
        runs_code: Whether it runs code in the sandbox, which is then started.
        failures: How often two answers counted as different because the check failed or took too long.
        unsure: How often they did because one of them was not understood.
    """

    runs_code: bool = False
    failures: int = 0
    unsure: int = 0

    def check(self, reference: str) -> None:
        """Raises UserError if it cannot handle a reference answer like this one."""

    async def right(self, solution: Solution, problem: Problem) -> bool | None:
        """Returns whether a solution is correct: as its source says, or if that says nothing, by its answer."""
        if solution.correct is not None:
            return solution.correct
        return await self.correct(self.answer(solution), problem.answer)

    async def correct(self, answer: str | None, reference: str | None) -> bool | None:
        """Returns whether an answer is correct, None if there is no reference. A missing answer is wrong.

        Raises:
            ProblemError: This reference cannot be compared.
        """

    async def equivalent(self, a: str, b: str) -> bool:
        """Returns whether two answers are equivalent; symmetric."""

    async def close(self) -> None:
        """Stops everything it started. Closing twice does nothing."""
