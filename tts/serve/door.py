"""What stands before every request: keys, rates, the size of bodies, and the access log."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts.core.json import Json
from tts.serve.keys import Keys
from tts.serve.limits import ServerLimits
from tts.serve.metrics import Metrics
from tts.serve.rate_limit import RateLimit
from tts.serve.refused import Refused

_log = logging.getLogger("tts.serve.access")
_BODY_S = 30.0
"""Seconds in which a body must have arrived."""
_LEFT = 499
"""The status that the log shows if the client left first."""


class Door:
    """Lets a request in whole or not at all.

    Args:
        app: What is behind it.
        keys: Who may come in; None for everybody.
        limits: The operator's limits.
        metrics: Counts the answers.
        log_texts: Whether the access log has what was asked.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys | None, limits: ServerLimits, metrics: Metrics, log_texts: bool = False
    ) -> None:
        self._app, self._keys, self._limits, self._metrics = app, keys, limits, metrics
        self._rates = RateLimit(limits.requests_per_minute)
        self._log_texts = log_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry: dict[str, Json] = {"id": uuid.uuid4().hex, "method": scope["method"], "path": scope["path"]}
        began, status = time.perf_counter(), _LEFT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = str(entry["id"])
            await send(message)

        scope.setdefault("state", {})["entry"] = entry
        try:
            try:
                body = await self._let_in(scope, receive, entry)
            except Refused as refused:
                await JSONResponse(refused.body(), refused.status, refused.headers)(scope, receive, answer)
                return
            await self._app(scope, _replayed(body, receive), answer)
        except Exception:
            status = 500  # as the handler around this answers
            raise
        finally:
            self._metrics.answered(status)
            _log.info(json.dumps({**entry, "status": status, "ms": round((time.perf_counter() - began) * 1e3, 1)}))

    async def _let_in(self, scope: Scope, receive: Receive, entry: dict[str, Json]) -> bytes:
        """Returns the body of a request that may come in.

        Raises:
            Refused: It may not.
        """
        headers = Headers(scope=scope)
        if scope["path"].startswith("/v1/") or scope["path"] == "/metrics":
            caller = self._caller(headers)
            entry["key"] = caller
            if scope["path"].startswith("/v1/"):
                self._rates.take(caller or "")
        if scope["method"] != "POST" or not scope["path"].endswith("/completions"):
            return b""
        # A page of another origin can send only plain texts without asking first (CORS).
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "the body must be JSON: Content-Type: application/json")
        body = await self._body(headers, receive)
        if self._log_texts:
            entry["request"] = body.decode("utf-8", "replace")
        return body

    def _caller(self, headers: Mapping[str, str]) -> str | None:
        if self._keys is None:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        owner = self._keys.owner(key.strip()) if scheme.lower() == "bearer" else None
        if owner is None:
            wanted = "the header 'Authorization: Bearer KEY' with a key of this server is needed"
            raise Refused(401, wanted, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
        return owner

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        told = headers.get("content-length", "0")
        if told.isdecimal() and int(told) > self._limits.body:
            raise self._too_large()
        parts, size = list[bytes](), 0
        try:
            async with asyncio.timeout(_BODY_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the body ended early")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._limits.body:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {_BODY_S:.0f} s") from None

    def _too_large(self) -> Refused:
        # What was not read would be taken for the next request.
        return Refused(413, f"the body is larger than {self._limits.body:,} bytes", headers={"Connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Returns a channel that has the whole body first, and then what else comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
