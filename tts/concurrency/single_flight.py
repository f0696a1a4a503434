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
        self._results: dict[Hashable, T] = {}
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of the work of `key`.

        Args:
            key: Identifies the work.
            work: Starts it; called only if it is neither done nor in progress.
        """
        if key in self._results:
            return self._results[key]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._run(key, work, flight))
        # Each waiter has a future of its own: one's cancellation must not take the result from the others.
        # `asyncio.shield` would do the same with twice as many wake-ups, and thousands of votes wait here.
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        flight.waiters[waiter] = None
        try:
            return await waiter
        finally:
            flight.waiters.pop(waiter, None)
            if not flight.waiters and not flight.landed:
                self._forget(key, flight)
                assert flight.task is not None
                flight.task.cancel()

    async def _run(self, key: Hashable, work: Callable[[], Awaitable[T]], flight: _Flight[T]) -> None:
        try:
            result = await work()
        except asyncio.CancelledError:
            flight.land(asyncio.Future.cancel)
            self._forget(key, flight)
            raise
        except BaseException as error:
            failure = error
            flight.land(lambda waiter: waiter.set_exception(failure))
            self._forget(key, flight)
            if not isinstance(error, Exception):
                raise
        else:
            if self._forget(key, flight):
                self._results[key] = result
            flight.land(lambda waiter: waiter.set_result(result))

    def _forget(self, key: Hashable, flight: _Flight[T]) -> bool:
        """Ends a flight; returns whether it was still its key's."""
        current = self._flights.get(key) is flight
        if current:
            del self._flights[key]
        return current


class _Flight(Generic[T]):
    """Work in progress and those who wait for it."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        # A dictionary's order is that of arrival, in which waiters continue.
        self.waiters: dict[asyncio.Future[T], None] = {}
        self.landed = False

    def land(self, tell: Callable[[asyncio.Future[T]], object]) -> None:
        """Tells all waiters the outcome."""
        self.landed = True
        for waiter in self.waiters:
            if not waiter.done():
                tell(waiter)
