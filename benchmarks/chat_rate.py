"""Requests that a host with a limit sees: `python -m benchmarks.chat_rate [--limit 60] [--samples 180] [--told]`.

The host answers on the loopback, refuses more than `limit` requests in any 60 seconds with status 429, and asks to come
again after a second. With `--told`, the engine is told its limit (`requests_per_minute`). Takes samples / limit minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable

from tts.engines.chat import ChatEngine
from tts.engines.generating import Request

_MINUTE = 60.0
_ANSWER = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}


class Host:
    """A chat server with a limit.

    Args:
        limit: Most requests in any minute.

    Attributes:
        arrivals: When it answered requests.
        refused: How many it refused.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.arrivals: list[float] = []
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of a connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if "content-length: " in head:
                    await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
                listing = head.startswith("get")
                full = not listing and self._full(time.monotonic())
                answer: object = {"data": [{"id": "m"}]} if listing else {} if full else _ANSWER
                body = json.dumps(answer).encode()
                status = "429 Too Many Requests\r\nRetry-After: 1" if full else "200 OK"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()  # cancelled when the program ends

    def _full(self, at: float) -> bool:
        full = sum(arrival > at - _MINUTE for arrival in self.arrivals[-self._limit :]) >= self._limit
        if full:
            self.refused += 1
        else:
            self.arrivals.append(at)
        return full


async def measure(limit: int, samples: int, told: bool, show: Callable[[str], None] = print) -> None:
    """Asks for samples as fast as the engine will, and shows what the host saw."""
    host = Host(limit)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, backlog=1024)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    engine = ChatEngine("m", url, continuation="none", requests_per_minute=limit if told else None)
    await engine.start()
    prompt = engine.render([{"role": "user", "content": "x"}])
    said = [completion async for completion in engine.generate(Request(prompt, seeds=tuple(range(samples))))]
    await engine.close()
    server.close()
    first, last = host.arrivals[0], host.arrivals[-1]
    minutes = [
        sum(first + minute <= arrival < first + minute + _MINUTE for arrival in host.arrivals)
        for minute in range(0, int(last - first - _MINUTE) + 1, int(_MINUTE))
    ]
    show(f"{len(said)} of {samples} samples in {last - first:.0f} s; full minutes: {minutes}; refused: {host.refused}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--samples", type=int, default=180)
    parser.add_argument("--told", action="store_true")
    given = parser.parse_args()
    asyncio.run(measure(given.limit, given.samples, given.told))
