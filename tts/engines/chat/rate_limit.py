"""Requests and tokens a minute, kept within what a host allows, and pauses that a host asks for.

Hosts count in sliding windows of a minute, in buckets, or in calendar minutes. Requests that leave at equal distances, a
little slower than allowed, satisfy all three, also when the network delays some of them by up to 1.8 seconds more than
others. Tokens are reserved when a request leaves, at its upper bound, and corrected when its answer tells how many it
took; they count until a minute after the answer, so that it does not matter when the host counts them.

A host whose limits nobody named says when it has had too much. Then all requests pause, and fewer are under way at once:
half as many each time that it is busy, one more for each round of answers (additive increase, multiplicative decrease;
D.-M. Chiu and R. Jain, Computer Networks and ISDN Systems 17(1), 1989).
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from dataclasses import dataclass, field

from tts.budget import now

_MINUTE = 60.0
_SHARE = 0.97
"""Of the allowed requests: a minute at this rate leaves 1.8 seconds for the network's delays."""

_ROUNDING = 1e-6


@dataclass(order=True)
class Pass:
    """A request's place in the queue, and its tokens once it has left.

    Attributes:
        order: Earlier requests go first, also when they are sent again.
        tokens: The tokens that count for it.
        granted: Done when it may leave.
    """

    order: int
    tokens: int = field(compare=False)
    granted: asyncio.Future[None] = field(compare=False)


class RateLimiter:
    """Lets requests pass in order of their numbers, as fast as the limits allow. For one event loop.

    Args:
        requests: Most requests in a minute, None for no limit.
        tokens: Most tokens of prompts and completions in a minute, None for no limit. A request that alone exceeds it
            passes when no other token counts.
    """

    def __init__(self, requests: float | None = None, tokens: int | None = None) -> None:
        self._interval = 0.0 if requests is None else _MINUTE / (_SHARE * requests)
        self._tokens = tokens
        self._next = -math.inf
        self._paused = -math.inf
        self._waiting: list[Pass] = []
        self._under_way = 0
        self._most = math.inf
        self._counting = 0
        self._ended: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, order: int, tokens: int = 0) -> Pass:
        """Returns when the request may be sent; `leave` must be called when it is answered, or `busy`.

        Args:
            order: Its number; of those that wait, the lowest goes first.
            tokens: The most that it can take.
        """
        loop = asyncio.get_running_loop()
        place = Pass(order, 0 if self._tokens is None else min(tokens, self._tokens), loop.create_future())
        heapq.heappush(self._waiting, place)
        self._let_pass()
        try:
            await place.granted
        except asyncio.CancelledError:
            if place.granted.done() and not place.granted.cancelled():
                self.leave(place, 0)
            self._let_pass()
            raise
        return place

    def leave(self, place: Pass, tokens: int | None = None) -> None:
        """Counts the tokens that a request took; None if that is unknown."""
        self._under_way -= 1
        self._most += 1 / self._most
        if self._tokens is not None:
            took = place.tokens if tokens is None else tokens
            self._counting += took - place.tokens
            self._ended.append((now() + _MINUTE, took))
        self._let_pass()

    def busy(self, place: Pass, seconds: float) -> None:
        """Lets nothing pass for so many seconds, since the host refused a request, and then fewer at once."""
        self._most = max(1.0, min(self._most, self._under_way) / 2)
        self._paused = max(self._paused, now() + seconds)
        self._under_way -= 1
        self._counting -= place.tokens
        self._let_pass()

    def _let_pass(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            first = self._waiting[0]
            if first.granted.done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            wait = self._wait(first.tokens)
            if wait > _ROUNDING:
                if wait < math.inf:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._let_pass)
                return
            heapq.heappop(self._waiting)
            self._next = now() + self._interval
            self._under_way += 1
            self._counting += first.tokens
            first.granted.set_result(None)

    def _wait(self, tokens: int) -> float:
        """Returns the seconds until the next request may pass; infinity if an answer must come first."""
        if self._under_way >= self._most:
            return math.inf
        at = now()
        return max(self._next - at, self._paused - at, self._wait_for_tokens(tokens, at))

    def _wait_for_tokens(self, tokens: int, at: float) -> float:
        if self._tokens is None:
            return 0.0
        while self._ended and self._ended[0][0] <= at + _ROUNDING:
            self._counting -= self._ended.popleft()[1]
        excess = self._counting + tokens - self._tokens
        for until, ended in self._ended:
            if excess <= 0:
                break
            excess -= ended
            if excess <= 0:
                return until - at
        return 0.0 if excess <= 0 else math.inf
