"""Server-sent events: written while somebody reads, and ended as soon as nobody does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tts.core.json import JsonObject

READ_S = 60.0
"""Seconds in which a reader must take what is sent to him."""


def event(data: JsonObject) -> bytes:
    """Returns an object as a server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": searching\n\n"
"""A comment, which clients skip."""


class EventStream(Response):
    """A response whose events are closed, and their search with them, when the client leaves or stops reading.

    Args:
        events: The events as bytes.
        seconds: Time of the whole stream, after which even one who reads slowly is left.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], seconds: float) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events, self._seconds = events, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes the events."""
        async with aclosing(self._events):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            writing = asyncio.create_task(self._write(send))
            leaving = asyncio.create_task(gone(receive))
            try:
                await asyncio.wait((writing, leaving), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                writing.cancel()
                leaving.cancel()
                outcome, _ = await asyncio.gather(writing, leaving, return_exceptions=True)
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):  # a timeout is one, too
                raise outcome

    async def _write(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            async for data in events:
                async with asyncio.timeout(READ_S):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
