"""How often something that ends is started again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

_HOUR: Final = 3600.0
_LONGEST: Final = 60.0


class Restarts:
    """Counts restarts and pauses before each.

    A bound on all of a run would give up what crashes once a day in a run of weeks; so it is one on those of an hour.

    Args:
        bound: Restarts within an hour.
        pause: Seconds before the first; twice as long before each further one within the hour, up to a minute.

    Attributes:
        count: Restarts so far.
    """

    def __init__(self, bound: int, pause: float) -> None:
        self._bound = bound
        self._pause = pause
        self._recent: deque[float] = deque()
        self.count = 0

    @property
    def allowed(self) -> bool:
        """Whether there may be another one now."""
        while self._recent and time.monotonic() - self._recent[0] > _HOUR:
            self._recent.popleft()
        return len(self._recent) < self._bound

    async def next(self) -> None:
        """Counts another one, and returns after its pause."""
        pause = min(self._pause * 2.0 ** min(len(self._recent), 30), _LONGEST)
        self._recent.append(time.monotonic())
        self.count += 1
        await asyncio.sleep(pause)
