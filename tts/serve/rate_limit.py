"""The limit on the requests of each caller."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tts.serve.refused import Refused


class RateLimit:
    """A bucket a caller: a minute's requests at once, then as they come back.

    Args:
        per_minute: Requests; None for no limit.
        clock: The time in seconds.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Counts a request.

        Args:
            caller: One of the owners of keys, whose number is bounded.

        Raises:
            Refused: He has asked too often.
        """
        if self._per_minute is None:
            return
        at = self._clock()
        left, since = self._left.get(caller, (float(self._per_minute), at))
        left = min(self._per_minute, left + (at - since) * self._per_minute / 60)
        if left < 1:
            self._left[caller] = left, at
            seconds = math.ceil((1 - left) * 60 / self._per_minute)
            raise Refused(
                429,
                f"{self._per_minute} requests a minute are allowed; ask again in {seconds} s",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(seconds)},
            )
        self._left[caller] = left - 1, at
