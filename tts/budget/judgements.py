"""Judgements: computed once for all equal requests, and counted when they begin."""

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
    """The judgements of one verifier, charged as verifications: one vote on one step each.

    They are kept as long as the problem, or an equal one, is referenced.

    Args:
        role: The role to charge.
    """

    def __init__(self, role: Role = VERIFIER) -> None:
        self._role = role
        self._shared: WhileHeld[Problem, SingleFlight[T]] = WhileHeld(SingleFlight)

    async def get(self, problem: Problem, key: Hashable, judge: Callable[[], Awaitable[T]], count: int = 1) -> T:
        """Returns a judgement of a problem's solution.

        Args:
            problem: The problem.
            key: Identifies the judgement among those of the problem.
            judge: Computes it; called only if it is neither done nor in progress.
            count: Number of verifications; 0 if the verifier counts them itself (`count`).
        """
        return await self._shared[problem].get(key, partial(self._begin, judge, count))

    def count(self, verifications: int = 1) -> None:
        """Counts judgements that are not shared: those of a computation, or of rows that are scored together."""
        charge(self._role, Usage(verifications=verifications))

    async def _begin(self, judge: Callable[[], Awaitable[T]], count: int) -> T:
        self.count(count)
        return await judge()
