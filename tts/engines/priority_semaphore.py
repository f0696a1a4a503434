"""A limit on the work in flight, with priorities."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class PrioritySemaphore:
    """A number of slots, given to the waiter with the lowest order, among equals to the first.

    Args:
        limit: Number of slots.
    """

    def __init__(self, limit: int) -> None:
        self.free = limit
        # A large request neither keeps slots empty until there are enough nor proceeds one slot at a time.
        self.share = max(1, limit // 8)
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    def take(self, wanted: int) -> bool:
        """Takes slots if that many are free and nobody waits for them."""
        if self._waiting or self.free < wanted:
            return False
        self.free -= wanted
        return True

    async def wait(self, wanted: int, order: int) -> None:
        """Waits for slots, at most `share` of them."""
        if self.take(wanted):
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._arrivals), wanted, turn))
        self.release(0)  # it may precede a waiter that needs more slots
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(wanted)
            raise

    def release(self, slots: int = 1) -> None:
        """Releases slots."""
        self.free += slots
        while self._waiting and (self._waiting[0][3].done() or self._waiting[0][2] <= self.free):
            _, _, wanted, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.free -= wanted
                turn.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raises an error in all waiters."""
        waiting, self._waiting = self._waiting, []
        for *_, turn in waiting:
            if not turn.done():
                turn.set_exception(error)
