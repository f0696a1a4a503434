"""A host's limits: every attempt waits for its turn, and a pause that the host asks for holds all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar
from weakref import WeakKeyDictionary

from tts.engines.chat.rate_limit import RateLimiter
from tts.engines.http.counts import size
from tts.engines.http.failures import Failure
from tts.engines.http.pace import Turn
from tts.engines.logprobs import Wire

_T = TypeVar("_T")

_BUSY_PAUSE = 1.0


class HostLimits:
    """A pace at which no more is sent than a host allows, whatever is asked of it.

    Args:
        requests: Most requests in a minute, None for no limit.
        tokens: Most tokens in a minute, None for no limit.
        patience: The longest pause in seconds.
    """

    def __init__(self, requests: float | None, tokens: int | None, patience: float) -> None:
        self._limits = requests, tokens
        self._patience = patience
        self._orders = count()
        self._limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, RateLimiter] = WeakKeyDictionary()

    def queue(self, tokens: int) -> Turn:
        """Returns the turn of a request that can take so many tokens, behind all earlier ones."""
        limiter = self._limiters.setdefault(asyncio.get_running_loop(), RateLimiter(*self._limits))
        return _Turn(limiter, next(self._orders), tokens, self._patience)


class _Turn:
    def __init__(self, limiter: RateLimiter, order: int, tokens: int, patience: float) -> None:
        self._limiter = limiter
        self._order = order
        self._tokens = tokens
        self._patience = patience
        self._took: int | None = None

    async def send(self, attempt: Callable[[], Awaitable[_T | Failure]]) -> _T | Failure:
        place = await self._limiter.enter(self._order, self._tokens)
        pause = 0.0
        try:
            outcome = await attempt()
            if isinstance(outcome, Failure) and outcome.away:
                # A host that is asked too much is left alone for a while, even if it does not say for how long. The last
                # attempt is made when the patience ends.
                pause = min(outcome.pause or (_BUSY_PAUSE if outcome.too_many else 0.0), self._patience)
            return outcome
        finally:
            if pause:
                self._limiter.busy(place, pause)
            else:
                self._limiter.leave(place, self._took)

    def answered(self, answer: Wire) -> None:
        usage = answer.get("usage")
        self._took = size(usage.get("total_tokens")) if isinstance(usage, dict) else None
