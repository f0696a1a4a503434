"""Runs work that several coroutines wait for only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs the work of each key once and returns its result to all callers, then and later.

    Failed or cancelled work is forgotten and run again on the next request. Work is cancelled when its last waiter is.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of the work of `key`.

        Args:
            key: Identifies the work.
            work: Starts it; called only if it is neither done nor in progress.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(_run(work))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            # Shielded: one waiter's cancellation must not take the result from the others.
            return await asyncio.shield(task)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]
                if not task.done():
                    task.cancel()
                if (not task.done() or task.cancelled() or task.exception()) and self._tasks.get(key) is task:
                    del self._tasks[key]


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
