"""HTTP with retries: pooled connections, and how each kind of failure is handled."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from errno import EMFILE, ENFILE
from typing import TypeVar
from weakref import WeakKeyDictionary

import httpx

from tts.core.errors import EngineError
from tts.engines.http.connections import Connections
from tts.engines.logprobs import Wire

_T = TypeVar("_T")

_AWAY = frozenset({425, 429, 502, 503, 504})
"""Statuses of a server that is busy, starting, or unreachable for its proxy."""

_FAILED = frozenset({408, 409, 500})
"""Statuses of a request that failed and may succeed when retried."""

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_CONNECT_SECONDS = 20.0


class RefusedError(EngineError):
    """The server rejected the request; a retry would not help.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)  # the arguments that unpickling passes
        self.status = status

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class _Failure:
    """Why an attempt failed.

    Attributes:
        reason: For the user.
        away: Whether the whole server is unavailable, rather than this request having failed on it.
        pause: Seconds that the server asks the client to wait.
    """

    reason: str
    away: bool
    pause: float = 0.0


class Http:
    """Pooled connections to a server, one pool for each event loop.

    A request that failed transiently is retried after a random pause of up to 0.25 s, 0.5 s, 1 s, ... 15 s
    ("full jitter"; M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), added to the server's
    `Retry-After` if there is one:

    - The server is unavailable or busy (no connection, a dropped connection, status 425, 429, 502, 503 or 504): for
      `patience` seconds from the first such failure.
    - The request failed (no answer within `timeout`, status 408, 409 or 500, an unreadable response): `retries` times.

    Args:
        key_env: Name of the environment variable that holds the server's key.
        timeout: Seconds that one attempt may take.
        retries: How often a failed request is retried.
        patience: Seconds to wait for a server that is unavailable.
    """

    def __init__(self, key_env: str, timeout: float, retries: int, patience: float) -> None:
        self._key_env = key_env
        self._timeout = timeout
        self._retries = retries
        self._patience = patience
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._clients = WeakKeyDictionary()

    async def get(self, url: str) -> httpx.Response:
        """Sends one GET request, with a time-out of at most 20 seconds.

        Raises:
            httpx.HTTPError: The server did not answer.
        """
        return await self._client().get(url, timeout=min(self._timeout, _CONNECT_SECONDS))

    async def post(self, url: str, body: Mapping[str, object], read: Callable[[Wire], _T]) -> _T:
        """Posts JSON and returns the result of `read` on the response.

        Args:
            url: The address.
            body: The JSON object.
            read: Reads the response; its ValueError, TypeError, LookupError or AttributeError counts as a transient
                failure.

        Raises:
            RefusedError: The server refuses the request.
            EngineError: The server stayed unavailable, or the request failed too often.
        """
        failed, since, backoff = 0, None, _FIRST_PAUSE
        while True:
            failure = await self._attempt(url, body, read)
            if not isinstance(failure, _Failure):
                return failure
            now = time.monotonic()
            if failure.away:
                since = now if since is None else since
                pause = failure.pause + random.uniform(0, backoff)
                # The last attempt is made when the patience ends, whatever the pause would have been.
                left = since + self._patience - now
                if left <= 0:
                    raise EngineError(f"{url}: {failure.reason} (waited {self._patience:g} s)")
                pause = min(pause, left)
            else:
                since, failed = None, failed + 1
                pause = min(failure.pause, self._patience) + random.uniform(0, backoff)
                if failed > self._retries:
                    raise EngineError(f"{url}: {failure.reason} (tried {failed} times)")
            await asyncio.sleep(pause)
            backoff = min(2 * backoff, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Closes this event loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            raise_file_limit()
            key = os.environ.get(self._key_env)
            self._clients[loop] = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                # httpx's own holds at most 100 connections, a hidden cap on the requests in flight.
                transport=Connections(),
                # `_attempt` limits an attempt's total time; httpx would restart its time-out with every byte received.
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            )
        return self._clients[loop]

    async def _attempt(self, url: str, body: Mapping[str, object], read: Callable[[Wire], _T]) -> _T | _Failure:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client().post(url, json=body)
        except TimeoutError:
            return _Failure(f"no answer within {self._timeout:g} s", away=False)
        except httpx.TransportError as error:
            return _Failure(explain(error), away=True)
        except httpx.HTTPError as error:
            return _Failure(explain(error), away=False)
        if not response.is_success:
            return self._failure(url, response)
        try:
            answer = response.json()
        except ValueError:
            return _Failure(f"the response is not JSON: {response.text[:80]!r}", away=False)
        if not isinstance(answer, dict):
            return _Failure(f"the response is not a JSON object: {response.text[:80]!r}", away=False)
        try:
            return read(answer)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return _Failure(f"cannot read the server's response ({error!r})", away=False)

    def _failure(self, url: str, response: httpx.Response) -> _Failure:
        status, reason = response.status_code, f"status {response.status_code}: {response.text[:300].strip()}"
        if status in _AWAY | _FAILED:
            return _Failure(reason, away=status in _AWAY, pause=retry_after(response.headers.get("retry-after", "")))
        if status in (401, 403):
            reason += f" (does ${self._key_env} hold the server's key?)"
        raise RefusedError(status, f"{url}: {reason}")


def retry_after(value: str) -> float:
    """Returns the seconds that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); else 0."""
    if value.isdigit():
        return float(value)
    with suppress(ValueError):
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max((date - datetime.now(UTC)).total_seconds(), 0.0)
    return 0.0


def explain(error: httpx.HTTPError) -> str:
    """Says what went wrong with a request, for the user."""
    if any(isinstance(cause, OSError) and cause.errno in (EMFILE, ENFILE) for cause in _causes(error)):
        return "too many open connections: raise the limit of open files (ulimit -n) or send fewer requests at once"
    return str(error) or type(error).__name__


def raise_file_limit() -> None:
    """Raises this process's limit of open files and sockets to the maximum: every request in flight takes one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems refuse the hard limit that they report.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        yield from _causes(error.__cause__ or error.__context__)
