"""Work in flight whose outcomes are counted in the order in which it began: parallel, and yet the same at any speed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class OrderedTasks(Generic[K, T]):
    """An asynchronous context: what is begun in it has landed at its end.

    Args:
        most: How many may be in flight.
        land: What counts an outcome, given the key under which it was begun.
    """

    def __init__(self, most: int, land: Callable[[K, T], object]) -> None:
        self._most, self._land = most, land
        self._group = asyncio.TaskGroup()
        self._flying: deque[tuple[K, asyncio.Task[T]]] = deque()

    @property
    def keys(self) -> list[K]:
        """The keys of what is in flight, the oldest first."""
        return [key for key, _ in self._flying]

    @property
    def full(self) -> bool:
        """Whether something has to land before more can begin."""
        return len(self._flying) >= self._most

    def begin(self, key: K, work: Coroutine[Any, Any, T]) -> None:
        """Begins work."""
        self._flying.append((key, self._group.create_task(work)))

    async def land(self) -> None:
        """Waits for the oldest and counts its outcome."""
        key, task = self._flying.popleft()
        self._land(key, await task)

    async def __aenter__(self) -> OrderedTasks[K, T]:
        """Opens the context."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lands all that is still in flight; where something failed the rest is cancelled and the errors are raised."""
        try:
            while kind is None and self._flying:
                await self.land()
        except BaseException as failed:
            await self._group.__aexit__(type(failed), failed, failed.__traceback__)
            raise
        await self._group.__aexit__(kind, error, trace)
