"""HTTP with retries: pooled connections, and how each kind of failure is handled."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from tts.budget import current
from tts.core.errors import EngineError
from tts.core.secrets import Secrets, key_of
from tts.core.well_formed import well_formed
from tts.engines.http.connections import Connections, TooLargeError, raise_file_limit
from tts.engines.http.endpoints import Endpoint, Endpoints
from tts.engines.http.failures import Failure, RefusedError, explain, failure_of
from tts.engines.http.pace import AtOnce, Pace
from tts.engines.logprobs import Wire

_T = TypeVar("_T")

Address: TypeAlias = Callable[[str], str]
"""Returns a request's address at the server with a given URL."""

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_CONNECT_SECONDS = 20.0
_JSON = {"Content-Type": "application/json"}


def answer_of(response: httpx.Response) -> Wire:
    """Returns the JSON object that a server answers.

    Raises:
        ValueError: It is none; the message says what it is.
    """
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    return answer


def _written(body: Mapping[str, object]) -> bytes:
    """Returns a request's body; halves of surrogate pairs, which a model's text may hold, have no form in UTF-8."""
    return well_formed(json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)).encode()


class Http:
    """Pooled connections to servers, one pool for each server and event loop.

    A request that failed transiently is retried after a random pause of up to 0.25 s, 0.5 s, 1 s, ... 15 s
    ("full jitter"; M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), added to the server's
    `Retry-After` if there is one:

    - The server is unavailable or busy (no connection, a dropped connection, status 425, 429, 502, 503 or 504): at another
      server at once, if there is one; else for `patience` seconds from the first such failure.
    - The request failed (no answer within `timeout`, status 408, 409 or 500, an unreadable response): `retries` times.

    Args:
        key_env: Name of the environment variable that holds the servers' key.
        timeout: Seconds that one attempt may take.
        retries: How often a failed request is retried.
        patience: Seconds to wait for servers that are unavailable.
        pace: Decides when attempts are made; None for at once.
        settings: What else may hold secrets that servers repeat: URLs with passwords, fields of requests.
    """

    def __init__(
        self,
        key_env: str,
        timeout: float,
        retries: int,
        patience: float,
        pace: Pace | None = None,
        settings: object = None,
    ) -> None:
        self._key_env = key_env
        self._timeout = timeout
        self._retries = retries
        self._patience = patience
        self._pace = pace or AtOnce()
        self._settings = {"key_env": key_env, "settings": settings}
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, httpx.AsyncClient]]
        self._clients = WeakKeyDictionary()

    async def get(self, url: str) -> httpx.Response:
        """Sends one GET request, which may take at most 20 seconds.

        Raises:
            httpx.HTTPError: The server did not answer.
            UserError: A request cannot be sent from here: the key, the certificates or the proxy are wrong.
        """
        seconds = min(self._timeout, _CONNECT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await self._client(url).get(url)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no answer within {seconds:g} s") from None

    async def post(
        self,
        endpoints: Endpoints,
        address: Address,
        body: Mapping[str, object],
        read: Callable[[Wire], _T],
        tokens: int = 0,
    ) -> _T:
        """Posts JSON to one of the servers of a model and returns the result of `read` on the response.

        Args:
            endpoints: The servers.
            address: Returns the request's address at a server.
            body: The JSON object.
            read: Reads the response; its ValueError, TypeError, LookupError or AttributeError counts as a transient
                failure.
            tokens: The most tokens that an attempt can take, for the pace.

        Raises:
            RefusedError: The server refuses the request.
            EngineError: The servers stayed unavailable, or the request failed too often.
        """
        about, turn = current().about, self._pace.queue(tokens)

        def reading(answer: Wire) -> _T:
            turn.answered(answer)
            return read(answer)

        failed, since, backoff = 0, None, _FIRST_PAUSE
        while True:
            endpoint = endpoints.choose(about)
            failure = await turn.send(partial(self._attempt, endpoint, address(endpoint.url), body, reading))
            if not isinstance(failure, Failure):
                return failure
            now = time.monotonic()
            if failure.away:
                since = now if since is None else since
                pause = failure.pause + random.uniform(0, backoff)
                # The last attempt is made when the patience ends, whatever the pause would have been.
                left = since + self._patience - now
                if left <= 0:
                    raise EngineError(f"{address(endpoint.url)}: {failure.reason} (waited {self._patience:g} s)")
                pause = min(pause, left)
                endpoint.failed(min(failure.pause, self._patience))
                if endpoints.another(endpoint):
                    continue
            else:
                since, failed = None, failed + 1
                pause = min(failure.pause, self._patience) + random.uniform(0, backoff)
                if failed > self._retries:
                    raise EngineError(f"{address(endpoint.url)}: {failure.reason} (tried {failed} times)")
            await asyncio.sleep(pause)
            backoff = min(2 * backoff, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Closes this event loop's connections."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()

    def _client(self, url: str) -> httpx.AsyncClient:
        clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        server = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        if server not in clients:
            raise_file_limit()
            key = key_of(self._key_env)
            clients[server] = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                # httpx's own holds at most 100 connections, a hidden cap on the requests in flight.
                transport=Connections(Secrets(self._settings)),
                # `_attempt` limits an attempt's total time; httpx would restart its time-out with every byte received.
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            )
        return clients[server]

    async def _attempt(
        self, endpoint: Endpoint, url: str, body: Mapping[str, object], read: Callable[[Wire], _T]
    ) -> _T | Failure:
        endpoint.in_flight += 1
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client(url).post(url, content=_written(body), headers=_JSON)
        except TimeoutError:
            return Failure(f"no answer within {self._timeout:g} s", away=False)
        except TooLargeError as error:
            raise EngineError(f"{url}: {error}") from None
        except httpx.HTTPError as error:
            return Failure(explain(error), away=isinstance(error, httpx.TransportError))
        finally:
            endpoint.in_flight -= 1
        if not response.is_success:
            return self._failure(url, response)
        endpoint.answered()
        try:
            answer = answer_of(response)
        except ValueError as error:
            return Failure(f"the response is {error}: {self._shown(response, 80)!r}", away=False)
        try:
            return read(answer)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            return Failure(f"cannot read the server's response ({error!r})", away=False)

    def _failure(self, url: str, response: httpx.Response) -> Failure:
        status = response.status_code
        reason = f"status {status}: {self._shown(response, 300).strip()}"
        if (failure := failure_of(response, reason)) is not None:
            return failure
        if status in (401, 403):
            reason += f" (does ${self._key_env} hold the server's key?)"
        raise RefusedError(status, f"{url}: {reason}")

    def _shown(self, response: httpx.Response, length: int) -> str:
        """Returns the beginning of a response for a message, without even the shortest key."""
        return Secrets(self._settings, shortest=1).hide(response.text)[:length]
