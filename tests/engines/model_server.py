"""A real HTTP server on the loopback that answers from an engine in this process, in vLLM's dialect of OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tts.core.errors import EngineError
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.logprobs import write_tokens


@contextmanager
def serve_model(engine: Engine, context: int) -> Iterator[str]:
    """Serves an engine under its own name and yields the server's base URL."""
    server = _ModelServer(engine, context)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    server.ready.wait()
    try:
        yield f"http://127.0.0.1:{server.port}/v1"
    finally:
        server.loop.call_soon_threadsafe(server.stop.set)
        thread.join()


class _ModelServer:
    def __init__(self, engine: Engine, context: int) -> None:
        self.engine = engine
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
                answering = asyncio.create_task(self._answer(head[0].split()[1], json.loads(body)))
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

    async def _answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/models":
            return 200, {"data": [{"id": self.engine.name, "max_model_len": self.context}]}
        if path == "/tokenize":
            return 200, {"count": await self.engine.count_tokens(body["prompt"])}
        n = body.get("n", 1)
        request = Request(body["prompt"], _sampling(body), tuple(body["seed"] + i for i in range(n)))
        length = await self.engine.count_tokens(request.prompt)
        if length >= self.context:
            return 400, {"error": {"message": f"{length} tokens exceed the maximum context length of {self.context}"}}
        if body["max_tokens"] > self.context - length:
            # As servers do that do not cut a completion at the context's end.
            return 400, {"error": {"message": f"max_tokens exceeds the maximum context length of {self.context}"}}
        try:
            landed = [c async for c in self.engine.generate(request)]
        except EngineError as error:
            return 500, {"error": {"message": str(error)}}
        return 200, {
            "choices": [_choice(completion, body) for completion in landed],
            "usage": {
                "prompt_tokens": landed[0].prompt_tokens,
                "completion_tokens": sum(c.completion_tokens for c in landed),
            },
        }


def _sampling(body: dict[str, Any]) -> Sampling:
    return Sampling(
        max_tokens=body["max_tokens"],
        temperature=body["temperature"],
        top_p=body["top_p"],
        top_k=max(body["top_k"], 0),
        repetition_penalty=body["repetition_penalty"],
        stop=tuple(body.get("stop") or ()),
        include_stop=body.get("include_stop_str_in_output", False),
        top_logprobs=body.get("logprobs") or 0,
    )


def _choice(completion: Completion, body: dict[str, Any]) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": completion.index,
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "stop_reason": completion.stop,
    }
    if body.get("return_token_ids"):
        choice["token_ids"] = [0] * completion.completion_tokens
    if completion.tokens is not None:
        logprobs = write_tokens(completion.tokens)
        del logprobs["sampled_logprobs"]
        if logprobs["tokens"][-1] == "":
            # Servers spell the end-of-text token out here, and not in the text.
            logprobs["tokens"][-1] = next(
                name for name, value in logprobs["top_logprobs"][-1].items() if value == logprobs["token_logprobs"][-1]
            )
        choice["logprobs"] = logprobs
    return choice
