"""The interface of verifiers: they judge the steps of solutions."""

from __future__ import annotations

from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution
from tts.core.traits import VerifierTraits
from tts.core.verdict import Verdict


class Verifier(Protocol):
    """Judges the steps of solutions.

    What it does not do, and what it needs, it declares in `traits`. A verifier of one's own best derives from
    `verifiers.base.BaseVerifier`, which has the members that few need to change.
    """

    @property
    def traits(self) -> VerifierTraits:
        """What it is like."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step of `solution`.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            prior: This verifier's verdict on a solution whose steps are the first steps of this one; only the steps after
                them are judged.

        Raises:
            EngineError: The engine failed for good.
            LimitReached: The budget did not allow it; what it allowed may make a verdict that has a score for every step.
        """

    @property
    def votes(self) -> int:
        """How many independent judgements make a verdict."""

    def token_bound(self, steps: int) -> int | None:
        """Returns the most completion tokens that judging `steps` steps can take, None where there is no bound."""

    def check(self) -> None:
        """Raises UserError where the configuration cannot work; loads no weights."""

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """Returns what its model would read, as text, None where there is no such thing; loads no weights.

        Raises:
            UserError: The format does not fit the model.
            ProblemError: The problem or a step holds what the format reserves.
        """
