"""Wrappers around policies and verifiers that enforce what every strategy relies on.

A strategy notices an exhausted budget as fewer solutions than it asked for and as verdicts without scores. It then finishes
with what it has and needs no accounting of its own. An impossible verdict is an error, never a number.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from tts.budget import LimitReached, current
from tts.core import Problem, Solution, Verdict, Vote, Withheld
from tts.core.errors import ProblemError
from tts.core.finite import finite
from tts.core.policy import Policy
from tts.core.problem import require_text
from tts.core.traits import Compare, Ratings
from tts.core.verifier import Verifier


class LimitedPolicy:
    """A policy that stops yielding solutions when the budget is exhausted.

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
            ProblemError: The problem has attachments and the policy reads text only, or it yields something other than a
                `Solution`.
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
            ProblemError: It has attachments, which the policy would ignore.
        """
        if not self.traits.attachments:
            require_text(problem, type(self._policy).__name__)
        return problem

    async def _until_limit(self, solutions: AsyncGenerator[object, None]) -> AsyncGenerator[Solution, None]:
        async with aclosing(solutions) as arriving:
            try:
                async for solution in arriving:
                    if not isinstance(solution, Solution):
                        name = type(self._policy).__name__
                        raise ProblemError(f"the policy {name} yielded {_shown(solution)}: a tts.Solution is needed")
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
        traits = verifier.traits
        self.traits = traits if traits.compare is None else replace(traits, compare=checked(traits.compare))
        self.votes = verifier.votes

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """As `Verifier.verify`; a verdict without scores if the budget is exhausted.

        Raises:
            ProblemError: The result is not a verdict, has a wrong number of scores, or a score that is not a finite number.
        """
        # Continuing from a withheld verdict means starting over. A time limit may strike before the budget reads exhausted.
        prior = prior if prior is not None and prior.given else None
        return await self._within_budget(solution, partial(self._verifier.verify, problem, solution, prior))

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        """As `Verifier.vote`, with the guarantees of `verify`; of a plug-in older than votes, its verdict."""
        vote = getattr(self._verifier, "vote", None)
        if vote is None:
            return await self.verify(problem, solution)
        return await self._within_budget(solution, partial(vote, problem, solution, number))

    async def _within_budget(self, solution: Solution, judge: Callable[[], Awaitable[object]]) -> Verdict:
        verdict: object = None
        limited = False
        try:
            await current().admit()
            verdict = await judge()
        except* LimitReached:
            limited = True
        if limited:
            return Verdict((None,) * len(solution.steps), state=Withheld.BUDGET)
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
        said = f"the verifier {type(self._verifier).__name__} returned"
        if not isinstance(verdict, Verdict):
            raise ProblemError(f"{said} {_shown(verdict)}: a tts.Verdict is needed, such as Verdict((0.9, 0.2))")
        if (wrong := _wrong(verdict)) is not None:
            raise ProblemError(f"{said} {wrong}")
        given = len(verdict.scores)
        # A verifier need not judge blank text after the last step.
        steps = max((number for number, step in enumerate(solution.steps, 1) if step.strip()), default=0)
        # A verifier that stops at the first error says so in its traits; which score counts as an error is its own choice.
        may_stop = self.traits.aggregators is not None
        stopped = given < steps and (may_stop or verdict.first_error() is not None)
        if given not in (1, steps, len(solution.steps)) and not stopped:
            raise ProblemError(f"{said} {given} scores for a solution of {steps} steps")
        return verdict


def checked(compare: Compare) -> Compare:
    """Returns comparisons whose ratings can be relied on: none if the budget is exhausted, otherwise in [0, 1].

    The comparison raises ProblemError if a rating is neither None nor a number in [0, 1].
    """

    async def comparing(problem: Problem, first: Solution, second: Solution, number: int) -> Ratings:
        ratings: Ratings = None, None
        try:
            await current().admit()
            ratings = await compare(problem, first, second, number)
        except* LimitReached:
            pass
        if any(rating is not None and not 0 <= rating <= 1 for rating in ratings):
            raise ProblemError(f"the verifier rated two solutions {ratings}: ratings are in [0, 1], or None")
        return ratings

    return comparing


def _wrong(verdict: Verdict) -> str | None:
    """Returns what is wrong with the values in a verdict, None if nothing is."""
    votes: object = verdict.votes
    if not isinstance(votes, tuple | list) or not all(isinstance(vote, Vote) for vote in votes):
        return f"a Verdict with votes={_shown(votes)}: a tuple of tts.Vote is needed, such as (Vote((0.9, 0.2)),)"
    for scores in (verdict.scores, *(vote.scores for vote in verdict.votes)):
        given: object = scores
        if not isinstance(given, tuple | list):
            return f"scores={_shown(given)}: a tuple is needed, such as (0.9, 0.2)"
        for score in given:
            # NumPy's and PyTorch's number types cannot be written to a record.
            if score is not None and not isinstance(score, float | int):
                return f"the score {_shown(score)}: a score is a finite number or None; write float(score)"
    wrong = [score for score in verdict.scores if score is not None and not finite(score)]
    return f"the score {wrong[0]}: a score is a finite number or None" if wrong else None


def _shown(value: object) -> str:
    return "None" if value is None else f"{value!r:.60} ({type(value).__name__})"
