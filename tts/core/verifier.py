"""The interface of verifiers: they judge the steps of solutions."""

from __future__ import annotations

from typing import Protocol

from tts.core.problem import Problem
from tts.core.solution import Solution
from tts.core.traits import VerifierTraits
from tts.core.verdict import Verdict


class Verifier(Protocol):
    """Judges the steps of solutions.

    It declares in `traits` what it cannot do and what it needs. Derive your own verifier from
    `verifiers.base.BaseVerifier`, which has defaults for the members that rarely change.
    """

    @property
    def traits(self) -> VerifierTraits:
        """Its traits."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step of `solution`.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            prior: This verifier's verdict on a solution whose steps are the first steps of this one; only the steps after
                them are judged.

        Raises:
            EngineError: The engine failed permanently.
            LimitReached: The budget did not allow it. If it allowed enough for a score of every step, these make a
                verdict.
        """

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        """Returns one judgement of its own, independent of those of other numbers, which may be any from 0.

        A verifier that always judges a solution the same way returns the same verdict for all numbers.

        Raises:
            EngineError: The engine failed permanently.
            LimitReached: The budget did not allow it.
        """

    @property
    def votes(self) -> int:
        """Number of independent judgements in a verdict."""

    def token_bound(self, steps: int) -> int | None:
        """Returns an upper bound of the completion tokens for judging `steps` steps, None if there is none."""

    def check(self) -> None:
        """Raises UserError if the configuration cannot work; loads no weights."""

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """Returns its model's input as text, None if there is no such thing; loads no weights.

        Raises:
            UserError: The format does not fit the model.
            ProblemError: The problem or a step contains text that the format reserves.
        """
