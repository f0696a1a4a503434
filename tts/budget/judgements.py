"""Judgements: made once for all who ask for the same, and counted as they begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from tts.budget.scope import charge
from tts.budget.usage import VERIFIER, Role, Usage
from tts.concurrency.single_flight import SingleFlight
from tts.concurrency.while_held import WhileHeld
from tts.core import Problem

T = TypeVar("T")


class Judgements(Generic[T]):
    """The judgements of one verifier, which are charged as verifications: a vote on a step each.

    They are kept as long as somebody holds the problem, or one that equals it.

    Args:
        role: Whom to charge.
    """

    def __init__(self, role: Role = VERIFIER) -> None:
        self._role = role
        self._shared: WhileHeld[Problem, SingleFlight[T]] = WhileHeld(SingleFlight)

    async def get(self, problem: Problem, key: Hashable, judge: Callable[[], Awaitable[T]], count: int = 1) -> T:
        """Returns a judgement of a problem's solution.

        Args:
            problem: The problem.
            key: What tells the judgement from others of the problem.
            judge: Makes it; called only where it is neither made nor under way.
            count: How many verifications it is; 0 where the verifier counts them itself (`count`).
        """
        return await self._shared[problem].get(key, partial(self._begin, judge, count))

    def count(self, verifications: int = 1) -> None:
        """Counts judgements that are not shared: those of a computation, or of rows that are read together."""
        charge(self._role, Usage(verifications=verifications))

    async def _begin(self, judge: Callable[[], Awaitable[T]], count: int) -> T:
        self.count(count)
        return await judge()
