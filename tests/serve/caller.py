"""A server without a socket: its application over a scripted engine, and callers that can leave."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Message

from tts import Runtime
from tts.config.compose import configuration
from tts.engines.generating import Completion, Request
from tts.engines.scripted import ScriptedEngine
from tts.serve.keys import Keys
from tts.serve.recording import Recording
from tts.serve.server import Settings, endpoints, read_settings
from tts.serve.service import Service

Answer = dict[str, Any]
QUESTION = "What is 7 * 8?"
ASKED = [{"role": "user", "content": QUESTION}]


def written(prompt: str, seed: int) -> str:
    """A solution whose sum is right for every other seed."""
    return f"7 * 8 = {55 + seed % 3}\n\nSo it is \\boxed{{{55 + seed % 3}}}."


class HeldEngine(ScriptedEngine):
    """Answers only while it is not held; counts the requests that it is working on."""

    def __init__(self) -> None:
        super().__init__(written)
        self.free = asyncio.Event()
        self.free.set()
        self.begun = asyncio.Event()
        self.working = 0

    async def generate(self, request: Request) -> AsyncIterator[Completion]:
        self.working += 1
        self.begun.set()
        try:
            await self.free.wait()
            async for completion in super().generate(request):
                yield completion
        finally:
            self.working -= 1


@dataclass
class Served:
    """A server under test."""

    app: FastAPI
    service: Service
    engine: HeldEngine
    client: httpx.AsyncClient
    runtime: Runtime = field(repr=False)

    async def chat(self, status: int = 200, **body: object) -> Answer:
        """Asks for a chat completion, and checks the status of the answer."""
        answer = await self.client.post(
            "/v1/chat/completions", json={"model": "best-of-16+genprm", "messages": ASKED, **body}
        )
        assert answer.status_code == status, answer.text
        found: Answer = answer.json()
        return found

    async def refused(self, status: int = 400, **body: object) -> str:
        """Asks for a chat completion that is refused, and returns the message."""
        return str((await self.chat(status, **body))["error"]["message"])


@functools.cache
def configured(overrides: tuple[str, ...]) -> Settings:
    """The settings of a server."""
    return read_settings(configuration("serve", overrides)[0])


@asynccontextmanager
async def serving(
    *overrides: str, keys: Mapping[str, str] | None = None, recording: Recording | None = None
) -> AsyncIterator[Served]:
    """Opens a server over a scripted engine; its verifier computes the sums of each step."""
    settings = replace(configured(overrides), keys=None if keys is None else Keys(keys))
    engine = HeldEngine()
    async with Runtime(sandbox="none", engines={"policy": engine}, verifier="calculator") as runtime:
        app, service = endpoints(settings, runtime, recording)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Served(app, service, engine, client, runtime)


class Leaver:
    """A caller of a stream, who may leave at any time.

    Args:
        app: Whom it calls.
        body: What it asks for.
        path: Where.
    """

    def __init__(self, app: FastAPI, body: object, path: str = "/v1/chat/completions") -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": json.dumps(body).encode(), "more_body": False})
        self.read: asyncio.Queue[bytes] = asyncio.Queue()
        self.status = 0
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        self.task = asyncio.create_task(app(scope, self._incoming.get, self._send))

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["body"]:
            await self.reads.wait()
            self.read.put_nowait(message["body"])

    async def leave(self) -> None:
        """Leaves, and waits until the server has noticed."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        await self.task


def events(stream: str) -> list[Answer]:
    """The chunks of a stream, which must end as streams end."""
    *chunks, done, rest = stream.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks if not chunk.startswith(":")]
