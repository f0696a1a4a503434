"""HTTP within a host's limits: every attempt waits for its turn, and a pause that the host asks for holds all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar
from weakref import WeakKeyDictionary

import httpx

from tts.engines.chat.rate_limit import RateLimiter
from tts.engines.http.client import Address, Http
from tts.engines.http.endpoints import Endpoint, Endpoints
from tts.engines.http.failures import Failure
from tts.engines.logprobs import Wire

_T = TypeVar("_T")

TOO_MANY = 429
_BUSY_PAUSE = 1.0

_UNITS: Mapping[str, float] = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass
class _Call:
    """A request with its retries.

    Attributes:
        order: Its place in the queue.
        tokens: The most tokens that an attempt can take.
        took: The tokens that the last attempt took, None if that is unknown.
    """

    order: int
    tokens: int
    took: int | None = field(default=None)


_call: ContextVar[_Call] = ContextVar("call")


class PacedHttp(Http):
    """A client that sends no more than a host allows, whatever is asked of it.

    Args:
        key_env: As for `Http`, as are `timeout`, `retries` and `patience`.
        requests: Most requests in a minute, None for no limit.
        tokens: Most tokens in a minute, None for no limit.
    """

    def __init__(
        self,
        key_env: str,
        timeout: float,
        retries: int,
        patience: float,
        requests: float | None = None,
        tokens: int | None = None,
    ) -> None:
        super().__init__(key_env, timeout, retries, patience)
        self._limits = requests, tokens
        self._orders: Iterator[int] = count()
        self._limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, RateLimiter] = WeakKeyDictionary()

    async def paced(
        self,
        endpoints: Endpoints,
        address: Address,
        body: Mapping[str, object],
        read: Callable[[Wire], _T],
        tokens: int,
    ) -> _T:
        """Posts JSON when the limits allow it, earlier requests first.

        Args:
            endpoints: The servers.
            address: Returns the request's address at a server.
            body: The JSON object.
            read: Reads the response.
            tokens: The most tokens that it can take.

        Raises:
            RefusedError: The server refuses the request.
            EngineError: The server stayed unavailable, or the request failed too often.
        """
        call = _Call(next(self._orders), tokens)

        def reading(answer: Wire) -> _T:
            call.took = (answer.get("usage") or {}).get("total_tokens")
            return read(answer)

        before = _call.set(call)
        try:
            return await self.post(endpoints, address, body, reading)
        finally:
            _call.reset(before)

    async def _attempt(
        self, endpoint: Endpoint, url: str, body: Mapping[str, object], read: Callable[[Wire], _T]
    ) -> _T | Failure:
        limiter, call = self._limiter(), _call.get()
        place = await limiter.enter(call.order, call.tokens)
        pause = 0.0
        try:
            outcome = await super()._attempt(endpoint, url, body, read)
            if isinstance(outcome, Failure) and outcome.away:
                # The last attempt is made when the patience ends.
                pause = min(outcome.pause, self._patience)
            return outcome
        finally:
            if pause:
                limiter.busy(place, pause)
            else:
                limiter.leave(place, call.took)

    def _failure(self, url: str, response: httpx.Response) -> Failure:
        failure = super()._failure(url, response)
        if failure.pause:
            return failure
        # A host that is asked too much is left alone for a while, even if it does not say for how long.
        least = _BUSY_PAUSE if response.status_code == TOO_MANY else 0.0
        return replace(failure, pause=max(reset_after(response.headers), least))

    def _limiter(self) -> RateLimiter:
        return self._limiters.setdefault(asyncio.get_running_loop(), RateLimiter(*self._limits))


def reset_after(headers: Mapping[str, str]) -> float:
    """Returns the seconds until the limits that are used up are lifted (`x-ratelimit-*` as OpenAI sends them), else 0."""
    if milliseconds := headers.get("retry-after-ms", ""):
        return float(milliseconds) / 1000 if milliseconds.isdigit() else 0.0
    used_up = [kind for kind in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max((_seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in used_up), default=0.0)


def _seconds(duration: str) -> float:
    """Returns the seconds of `6m0s`, `1.5s` or `20ms`."""
    return sum(float(value) * _UNITS[unit] for value, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", duration))
