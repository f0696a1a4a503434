"""What a strategy gets to hold: any policy and any verifier, with what must hold for all of them made sure in one place.

A used-up budget reaches a strategy as "no more": fewer solutions than it asked for, and verdicts without scores. So it comes
to its end with what it has, and needs no accounting. A verdict that cannot be right is an error and never a number.
"""

from __future__ import annotations

import math
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
        """As `Policy.solutions`; raises ProblemError where the problem has attachments and the policy reads text only."""
        return _until_limit(self._policy.solutions(self._readable(problem), prefix, n, first))

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.steps`."""
        return _until_limit(self._policy.steps(self._readable(problem), prefix, n, first))

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """As `Policy.revisions`."""
        return _until_limit(self._policy.revisions(self._readable(problem), solution, critique, n, first))

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
            ProblemError: The verdict has a wrong number of scores, or one that is no number.
        """
        verdict: Verdict | None = None
        # To go on from a verdict that was not given is to begin; a limit of time may be met before it reads as used up.
        prior = prior if prior is not None and prior.given else None
        try:
            current().check()
            verdict = await self._verifier.verify(problem, solution, prior)
        except* LimitReached:
            pass
        if verdict is None:
            return Verdict((None,) * len(solution.steps), state=Withheld.BUDGET)
        self._check(verdict, solution)
        return verdict

    def token_bound(self, steps: int) -> int | None:
        """As `Verifier.token_bound`."""
        return self._verifier.token_bound(steps)

    def check(self) -> None:
        """As `Verifier.check`."""
        self._verifier.check()

    def preview(self, problem: Problem, solution: Solution) -> str | None:
        """As `Verifier.preview`."""
        return self._verifier.preview(problem, solution)

    def _check(self, verdict: Verdict, solution: Solution) -> None:
        name = type(self._verifier).__name__
        wrong = [score for score in verdict.scores if score is not None and not math.isfinite(score)]
        if wrong:
            raise ProblemError(f"the verifier {name} returned the score {wrong[0]}: a score is a finite number or None")
        given = len(verdict.scores)
        # A verifier need not judge blank text behind the last step.
        steps = max((number for number, step in enumerate(solution.steps, 1) if step.strip()), default=0)
        # Below which score is its own affair, but one that judges no further than an error says so (its traits).
        may_stop = self.traits.aggregators is not None
        stopped = given < steps and (may_stop or verdict.first_error() is not None)
        if given not in (1, steps, len(solution.steps)) and not stopped:
            raise ProblemError(f"the verifier {name} returned {given} scores for a solution of {steps} steps")


async def _until_limit(solutions: AsyncGenerator[Solution, None]) -> AsyncGenerator[Solution, None]:
    async with aclosing(solutions) as landing:
        try:
            async for solution in landing:
                yield solution
        except LimitReached:
            return
