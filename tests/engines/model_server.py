"""A real HTTP server on the loopback that answers from an engine in this process, in the manner of a kind of server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.engines.manners import Manner, OpenAIManner
from tts.engines.generating import Engine


@contextmanager
def serve_model(engine: Engine, context: int, manner: Manner | None = None) -> Iterator[str]:
    """Serves an engine under its own name and yields the server's base URL; in vLLM's manner if none is given."""
    server = _ModelServer(engine, context, manner or OpenAIManner())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    server.ready.wait()
    try:
        yield f"http://127.0.0.1:{server.port}/v1"
    finally:
        server.loop.call_soon_threadsafe(server.stop.set)
        thread.join()


class _ModelServer:
    def __init__(self, engine: Engine, context: int, manner: Manner) -> None:
        self.engine = engine
        self.manner = manner
        self.context = context
        self.port = 0
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stop.wait()
        server.close()
        await self.engine.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled when the server is stopped.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                lengths = [line.split(":")[1] for line in head if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b"{}"
                answering = asyncio.create_task(
                    self.manner.reply(self.engine, self.context, head[0].split()[1], json.loads(body))
                )
                # A client that hangs up has its samples cancelled, as on a real server.
                hung_up = asyncio.create_task(reader.read(1))
                await asyncio.wait((answering, hung_up), return_when=asyncio.FIRST_COMPLETED)
                if hung_up.done():
                    answering.cancel()
                    break
                hung_up.cancel()
                await asyncio.gather(hung_up, return_exceptions=True)
                status, answer = answering.result()
                data = json.dumps(answer).encode()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        writer.close()
