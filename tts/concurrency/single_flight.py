"""Work that several coroutines wait for is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs the work behind each key once and gives its result to everybody who asks for it, then and later.

    Work that failed or was cancelled is forgotten and done again when next asked for. Work is cancelled when the last one
    who waits for it is.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of the work behind `key`.

        Args:
            key: What identifies the work.
            work: Starts it; called only where it is neither done nor under way.
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
