"""The interface of verifiers."""

from __future__ import annotations

from typing import Protocol

from tts.types import Problem, Solution, Verdict


class Verifier(Protocol):
    """Judges the steps of solutions."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step of `solution`.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            prior: This verifier's verdict on a solution whose steps are the first steps of this one; only the steps after
                them are judged.

        Raises:
            EngineError: The engine failed for good.
        """

    @property
    def votes(self) -> int:
        """How many independent judgements make a verdict."""

    def token_bound(self, steps: int) -> int | None:
        """Returns the most completion tokens that judging `steps` steps can take, None where there is no bound."""

    def check(self) -> None:
        """Raises UserError where the configuration cannot work; loads no weights."""
