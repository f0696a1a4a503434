"""What a strategy gets to hold: any policy and any verifier, with what must hold for all of them made sure in one place.

A used-up budget reaches a strategy as "no more": fewer solutions than it asked for, and verdicts without scores. So it comes
to its end with what it has, and needs no accounting. A verdict that cannot be right is an error and never a number.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tts.budget import LimitReached, current
from tts.core import Problem, Solution, Verdict, Withheld
from tts.core.errors import ProblemError
from tts.core.policy import Policy
from tts.core.problem import require_text
from tts.core.verifier import Verifier


class LimitedPolicy:
    """A policy that ends its solutions where the budget does.

    Args:
        policy: The policy.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.traits = policy.traits
        self.splits = policy.splits

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.solutions`.

        Raises:
            ProblemError: The problem has attachments and the policy reads text only, or it yields what is no solution.
        """
        return self._until_limit(self._policy.solutions(self._readable(problem), prefix, n, first))

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.steps`."""
        return self._until_limit(self._policy.steps(self._readable(problem), prefix, n, first))

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """As `Policy.revisions`."""
        return self._until_limit(self._policy.revisions(self._readable(problem), solution, critique, n, first))

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """As `Policy.token_bound`."""
        return self._policy.token_bound(n, steps)

    def check(self) -> None:
        """As `Policy.check`."""
        self._policy.check()

    def _readable(self, problem: Problem) -> Problem:
        """Returns the problem.

        Raises:
            ProblemError: It has attachments, which the policy would leave aside.
        """
        if not self.traits.attachments:
            require_text(problem, type(self._policy).__name__)
        return problem

    async def _until_limit(self, solutions: AsyncGenerator[object, None]) -> AsyncGenerator[Solution, None]:
        async with aclosing(solutions) as landing:
            try:
                async for solution in landing:
                    if not isinstance(solution, Solution):  # what somebody wrote keeps to no annotation
                        name = type(self._policy).__name__
                        raise ProblemError(f"the policy {name} gave {reprlib.repr(solution)}: a tts.Solution is needed")
                    yield solution
            except LimitReached:
                return


class CheckedVerifier:
    """A verifier whose verdicts can be relied on.

    Args:
        verifier: The verifier.
    """

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.traits = verifier.traits
        self.votes = verifier.votes

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """As `Verifier.verify`; where the budget does not allow it, a verdict without any score.

        Raises:
            ProblemError: It is no verdict, has a wrong number of scores, or one that is no number.
        """
        # To go on from a verdict that was not given is to begin; a limit of time may be met before it reads as used up.
        prior = prior if prior is not None and prior.given else None
        verdict = Verdict((None,) * len(solution.steps), state=Withheld.BUDGET)
        try:
            current().check()
            verdict = await self._verifier.verify(problem, solution, prior)
        except* LimitReached:
            pass
        return self._checked(verdict, solution)

    def token_bound(self, steps: int) -> int | None:
        """As `Verifier.token_bound`."""
        return self._verifier.token_bound(steps)

    def check(self) -> None:
        """As `Verifier.check`."""
        self._verifier.check()

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """As `Verifier.preview`."""
        return self._verifier.preview(problem, solution)

    def _checked(self, verdict: object, solution: Solution) -> Verdict:
        name = type(self._verifier).__name__
        if not isinstance(verdict, Verdict):
            raise ProblemError(
                f"the verifier {name} returned {reprlib.repr(verdict)}: a tts.Verdict is needed, such as "
                "Verdict((0.9, 0.2)), with a score for each step"
            )
        if not isinstance(verdict.scores, tuple | list):
            raise ProblemError(
                f"the verifier {name} returned the scores {reprlib.repr(verdict.scores)}: a tuple is needed"
            )
        wrong = [score for score in verdict.scores if score is not None and not _is_number(score)]
        if wrong:
            kind = "" if isinstance(wrong[0], float) else f" ({type(wrong[0]).__name__})"
            raise ProblemError(
                f"the verifier {name} returned the score {wrong[0]}{kind}: a score is a finite number (float) or None"
            )
        given = len(verdict.scores)
        # A verifier need not judge blank text behind the last step.
        steps = max((number for number, step in enumerate(solution.steps, 1) if step.strip()), default=0)
        # Below which score is its own affair, but one that judges no further than an error says so (its traits).
        may_stop = self.traits.aggregators is not None
        stopped = given < steps and (may_stop or verdict.first_error() is not None)
        if given not in (1, steps, len(solution.steps)) and not stopped:
            raise ProblemError(f"the verifier {name} returned {given} scores for a solution of {steps} steps")
        return verdict


def _is_number(score: object) -> bool:
    """Whether it is one that a record can hold."""
    return isinstance(score, int | float) and math.isfinite(score)
