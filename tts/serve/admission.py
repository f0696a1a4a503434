"""Who may search now: a bounded number at once, a bounded number that waits for that or for its reader, and an end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count

from tts.budget import Limits, Scope, now, scope
from tts.serve.limits import ServerLimits
from tts.serve.refused import Refused


class Admission:
    """Admits searches in the order of their arrival, which is also their priority at the engines.

    A search gives its slot back when it ends, so that a slow reader keeps none; its request keeps its place until the
    answer was sent, so that answers that nobody reads cannot pile up either.

    Args:
        limits: How many at once, how many further ones are kept, and how long one may take.

    Attributes:
        waiting: Number of searches in the queue.
        closed: Whether the server is about to end.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._numbers = count()
        self._inside: dict[int, Scope] = {}
        self.closed = self._cut = False
        self._mean_s = 1.0
        self._places = limits.in_flight + limits.queue
        self.waiting = 0

    @property
    def running(self) -> int:
        """Number of searches at this moment."""
        return len(self._inside)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keeps a place for a request, from its arrival until its answer was sent.

        Raises:
            Refused: There is none, or the server is about to end.
        """
        self.check()
        if not self._places:
            seconds = math.ceil(max(1.0, self._mean_s * self.waiting / self._limits.in_flight))
            raise Refused(
                429,
                f"{self.running} searches run and {self.waiting} wait, and no more are taken; ask again in {seconds} s",
                code="queue_full",
                headers={"Retry-After": str(seconds)},
            )
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[Scope]:
        """Waits for a slot, and opens the scope of a search, which ends with its best candidate when its time is up.

        Raises:
            Refused: The server is about to end.
        """
        self.check()
        self.waiting += 1
        arrived, number = now(), next(self._numbers)
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            left = max(self._limits.seconds - (now() - arrived), 1e-3)
            with scope("request", Limits(seconds=left), number) as inside:
                self._inside[number] = inside
                if self._cut:
                    inside.expire()
                try:
                    yield inside
                finally:
                    del self._inside[number]
                    self._mean_s += (now() - inside.started - self._mean_s) / 16
        finally:
            self._slots.release()

    def check(self) -> None:
        """Raises Refused if no search is admitted any more."""
        if self.closed:
            raise Refused(503, "the server is about to end; ask again in a moment", headers={"Retry-After": "5"})

    def close(self) -> None:
        """Admits no further searches; those that wait are still served."""
        self.closed = True

    def cut(self) -> None:
        """Lets every search end with its best candidate: requests in flight are finished, further ones are not sent."""
        self._cut = True
        for inside in self._inside.values():
            inside.expire()

    def stop(self) -> None:
        """Lets every search end now: what is in flight is cancelled, too."""
        self.cut()
        for inside in self._inside.values():
            inside.stop()
