"""A bound on what is in flight, and who goes first."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class PrioritySemaphore:
    """A number of places, given to whoever waits with the lowest order, of equals to the first.

    Args:
        limit: How many there are.
    """

    def __init__(self, limit: int) -> None:
        self.free = limit
        # One who wants many neither keeps places empty until there are as many, nor goes on with one at a time.
        self.share = max(1, limit // 8)
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    def take(self, wanted: int) -> bool:
        """Takes places if that many are free and nobody waits for them."""
        if self._waiting or self.free < wanted:
            return False
        self.free -= wanted
        return True

    async def wait(self, wanted: int, order: int) -> None:
        """Waits for places; they must not be more than `share`."""
        if self.take(wanted):
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._arrivals), wanted, turn))
        self.release(0)  # it may go before one who waits for more places
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(wanted)
            raise

    def release(self, places: int = 1) -> None:
        """Gives places back."""
        self.free += places
        while self._waiting and (self._waiting[0][3].done() or self._waiting[0][2] <= self.free):
            _, _, wanted, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.free -= wanted
                turn.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raises an error for everybody who waits."""
        waiting, self._waiting = self._waiting, []
        for *_, turn in waiting:
            if not turn.done():
                turn.set_exception(error)
