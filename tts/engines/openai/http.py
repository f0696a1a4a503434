"""HTTP with patience: pooled connections, and what to do about each kind of failure."""

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
from tts.engines.logprobs import Wire
from tts.engines.openai.connections import Connections

_T = TypeVar("_T")

_AWAY = frozenset({425, 429, 502, 503, 504})
"""Statuses of a server that is busy, starting, or behind a proxy that misses it."""

_FAILED = frozenset({408, 409, 500})
"""Statuses of a request that failed and may pass when it is tried again."""

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_CONNECT_SECONDS = 20.0


class RefusedError(EngineError):
    """The server answered that the request is wrong; it would be so again.

    Attributes:
        status: The answer's status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)  # what pickling makes it of again
        self.status = status

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class _Failure:
    """Why an attempt failed.

    Attributes:
        reason: For the user.
        away: Whether the server as a whole is not to be had, rather than this request having failed on it.
        pause: Seconds that the server asks to wait.
    """

    reason: str
    away: bool
    pause: float = 0.0


class Http:
    """Pooled connections to a server, one pool for each event loop.

    A request that failed in a way that can pass is sent again, after a random pause of up to 0.25 s, 0.5 s, 1 s, ... 15 s
    ("full jitter"; M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), or that much later than
    the `Retry-After` which the server asks for:

    - The server is away or busy (no connection, a connection that was cut, status 425, 429, 502, 503 or 504): for
      `patience` seconds from when it was first found so.
    - The request failed (no answer within `timeout`, status 408, 409 or 500, an unreadable answer): `retries` times.

    Args:
        key_env: Name of the environment variable that holds the server's key.
        timeout: Seconds that one attempt may take.
        retries: How often a request that failed is sent again.
        patience: Seconds for which a server that is away is waited for.
    """

    def __init__(self, key_env: str, timeout: float, retries: int, patience: float) -> None:
        self._key_env = key_env
        self._timeout = timeout
        self._retries = retries
        self._patience = patience
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._clients = WeakKeyDictionary()

    async def get(self, url: str) -> httpx.Response:
        """Gets a page, once, within at most 20 seconds.

        Raises:
            httpx.HTTPError: No answer.
        """
        return await self._client().get(url, timeout=min(self._timeout, _CONNECT_SECONDS))

    async def post(self, url: str, body: Mapping[str, object], read: Callable[[Wire], _T]) -> _T:
        """Posts JSON and returns what `read` makes of the answer.

        Args:
            url: Where to.
            body: What.
            read: Reads the answer; a ValueError, TypeError, LookupError or AttributeError of it is a failure that can pass.

        Raises:
            RefusedError: The server refuses the request.
            EngineError: The server stayed away, or the request failed too often.
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
                # The last attempt is made when the patience ends, whatever the pause was to be.
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
                # httpx's own would hold no more than 100, a hidden cap on the requests in flight.
                transport=Connections(),
                # The time of an attempt is limited as a whole: httpx would start anew with every byte that drips in.
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
            return _Failure(f"the answer is not JSON: {response.text[:80]!r}", away=False)
        if not isinstance(answer, dict):
            return _Failure(f"the answer is not a JSON object: {response.text[:80]!r}", away=False)
        try:
            return read(answer)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return _Failure(f"cannot read the server's answer ({error!r})", away=False)

    def _failure(self, url: str, response: httpx.Response) -> _Failure:
        status, reason = response.status_code, f"status {response.status_code}: {response.text[:300].strip()}"
        if status in _AWAY | _FAILED:
            return _Failure(reason, away=status in _AWAY, pause=retry_after(response.headers.get("retry-after", "")))
        if status in (401, 403):
            reason += f" (does ${self._key_env} hold the server's key?)"
        raise RefusedError(status, f"{url}: {reason}")


def retry_after(value: str) -> float:
    """Returns the seconds that a `Retry-After` asks for, given as seconds or as a date (RFC 9110, 10.2.3); else 0."""
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
        return "this process may open no more connections: raise the limit of open files (ulimit -n) or ask for less at once"
    return str(error) or type(error).__name__


def raise_file_limit() -> None:
    """Lets this process open as many files and sockets as the system allows it: every request in flight takes one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems refuse what they name as the hard limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        yield from _causes(error.__cause__ or error.__context__)
