"""Parallel tasks whose outcomes are counted in the order in which the tasks began, so that timing cannot change results."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class OrderedTasks(Generic[K, T]):
    """An asynchronous context manager: all tasks begun in it are finished and counted when it exits.

    Args:
        most: Maximum number of tasks in flight.
        count: Called with each task's key and outcome.
    """

    def __init__(self, most: int, count: Callable[[K, T], object]) -> None:
        self._most, self._count = most, count
        self._group = asyncio.TaskGroup()
        self._running: deque[tuple[K, asyncio.Task[T]]] = deque()

    @property
    def keys(self) -> list[K]:
        """The keys of the tasks not yet counted, the oldest first."""
        return [key for key, _ in self._running]

    @property
    def full(self) -> bool:
        """Whether an outcome has to be counted before another task can begin."""
        return len(self._running) >= self._most

    def begin(self, key: K, work: Coroutine[object, None, T]) -> None:
        """Begins a task."""
        self._running.append((key, self._group.create_task(work)))

    async def count_oldest(self) -> None:
        """Waits for the oldest task and counts its outcome."""
        key, task = self._running.popleft()
        self._count(key, await task)

    async def __aenter__(self) -> OrderedTasks[K, T]:
        """Opens the context."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Counts all remaining tasks; if one failed, cancels the rest and raises the errors."""
        try:
            while kind is None and self._running:
                await self.count_oldest()
        except BaseException as failed:
            await self._group.__aexit__(type(failed), failed, failed.__traceback__)
            raise
        await self._group.__aexit__(kind, error, trace)
