r"""An OpenAI-compatible server that serves the simulated engine in real time, for benchmarks and tests without a GPU.

`python -m benchmarks.simserver --port 8000 [--role policy|verifier] [overrides as for python -m tts]`

    python -m benchmarks.simserver --port 8000 policy.engine.replicas=4 &
    python -m benchmarks.simserver --port 8001 --role verifier &
    python -m tts sandbox=none \
        policy=qwen2.5-math engine@policy.engine=openai policy.engine.base_url=http://127.0.0.1:8000/v1 \
        policy.engine.model=simulated-policy verifier=genprm engine@verifier.engine=openai \
        verifier.engine.base_url=http://127.0.0.1:8001/v1 verifier.engine.model=simulated-genprm

The server must know the task (`task=...`) as the client does: right answers come from there.

Routes: GET /v1/models, /health, /stats (what the GPUs did, and this process's CPU time); POST /v1/completions and
/v1/chat/completions (n, seed, stop, include_stop_str_in_output, max_tokens, logprobs, ...; no streams), /tokenize, /score (a
cheap reward model: `prompts` and `answers` to a score a step, one forward pass an answer), /reset (idle GPUs, empty caches).
Some of the requests to the POST routes under /v1 and to /score fail in the ways that the options name.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from tts.config.build import shared_engine
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.logprobs import write_tokens
from tts.engines.simulated import SimulatedEngine
from tts.engines.simulated.writer import dice, last_mark

ROOT = Path(__file__).parents[1]

Body = dict[str, Any]
Answer = tuple[HTTPStatus, Body]

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_MARKED = re.compile(r"(?:\n\n)+")


@dataclass(frozen=True)
class Faults:
    """How the server misbehaves: the shares of requests that each fault strikes.

    Attributes:
        refuse: Answered with 429 and `Retry-After: 0`.
        fail: Answered with 500.
        hang: Never answered.
        cut: The connection is closed in the middle of the answer.
        seed: Which requests; the same for the same order of requests.
    """

    refuse: float = 0.0
    fail: float = 0.0
    hang: float = 0.0
    cut: float = 0.0
    seed: int = 0

    def draw(self) -> Iterator[str | None]:
        """Yields for each request the fault that strikes it, or None."""
        rng = random.Random(self.seed)
        shares = {"refuse": self.refuse, "fail": self.fail, "hang": self.hang, "cut": self.cut}
        while True:
            at = rng.random()
            for name, share in shares.items():
                at -= share
                if at < 0:
                    yield name
                    break
            else:
                yield None


class SimulatedServer:
    """What the routes answer.

    Args:
        engine: The model.
        faults: How to misbehave.
    """

    def __init__(self, engine: SimulatedEngine, faults: Faults) -> None:
        self.engine = engine
        self.faults = faults.draw()
        self.requests = 0
        self.connections = 0
        self.routes: dict[tuple[str, str], Callable[[Body], Awaitable[Answer]]] = {
            ("GET", "/health"): self._health,
            ("GET", "/stats"): self._stats,
            ("GET", "/v1/models"): self._models,
            ("POST", "/reset"): self._reset,
            ("POST", "/tokenize"): self._tokenize,
            ("POST", "/v1/completions"): self._completions,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/score"): self._score,
        }

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers one request."""
        route = self.routes.get((method, path))
        if route is None:
            return _error(HTTPStatus.NOT_FOUND, f"no route {method} {path}")
        self.requests += 1
        try:
            return await route(json.loads(body or b"{}"))
        except (EngineError, UserError, ValueError, TypeError, KeyError, AttributeError) as error:
            return _error(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    async def _health(self, _: Body) -> Answer:
        return HTTPStatus.OK, {}

    async def _stats(self, _: Body) -> Answer:
        stats = self.engine.stats
        return HTTPStatus.OK, {
            **dataclasses.asdict(stats),
            "busy": stats.busy / 1e9,
            "mean_batch": stats.tokens / max(1, stats.ticks),
            "requests": self.requests,
            "connections": self.connections,
            "cpu_s": time.process_time(),
        }

    async def _reset(self, _: Body) -> Answer:
        await self.engine.close()
        await self.engine.start()
        self.requests = self.connections = 0
        return HTTPStatus.OK, {}

    async def _models(self, _: Body) -> Answer:
        return HTTPStatus.OK, {"object": "list", "data": [{"id": self.engine.name, "object": "model"}]}

    async def _tokenize(self, body: Body) -> Answer:
        text = body["prompt"] if "prompt" in body else self.engine.render(body["messages"])
        return HTTPStatus.OK, {"count": await self.engine.count_tokens(text)}

    async def _completions(self, body: Body) -> Answer:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        landed = await asyncio.gather(*(self._sample(body, prompt, 16) for prompt in prompts))
        choices = [{"text": completion.text, **_end(completion)} for several in landed for completion in several]
        return HTTPStatus.OK, self._reply("text_completion", choices, landed)

    async def _chat(self, body: Body) -> Answer:
        messages = body["messages"]
        begun = messages.pop()["content"] if body.get("continue_final_message") else ""
        several = await self._sample(body, self.engine.render(messages) + begun, None)
        choices = [{"message": {"role": "assistant", "content": c.text}, **_end(c)} for c in several]
        return HTTPStatus.OK, self._reply("chat.completion", choices, [several])

    async def _sample(self, body: Body, prompt: str, max_tokens: int | None) -> list[Completion]:
        """Returns the completions of one prompt; `max_tokens` is the protocol's default, None for the context's."""
        if body.get("stream"):
            raise ValueError("this server does not stream")
        stop = body.get("stop") or ()
        most = body.get("max_tokens") or body.get("max_completion_tokens") or max_tokens or 1 << 30
        sampling = Sampling(
            max_tokens=most,
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            top_k=max(0, body.get("top_k", 0)),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            include_stop=bool(body.get("include_stop_str_in_output")),
            top_logprobs=int(body.get("logprobs") or 0),
        )
        # Without a seed, samples differ from request to request, and a server that does the same again says the same.
        first = self.requests << 8 if body.get("seed") is None else body["seed"]
        request = Request(prompt, sampling, tuple(range(first, first + (body.get("n") or 1))))
        return sorted([c async for c in self.engine.generate(request)], key=lambda c: c.index)

    def _reply(self, kind: str, choices: list[Body], landed: list[list[Completion]]) -> Body:
        prompt = sum(several[0].prompt_tokens for several in landed)
        sampled = sum(completion.completion_tokens for several in landed for completion in several)
        return {
            "id": f"sim-{self.requests}",
            "object": kind,
            "created": 0,
            "model": self.engine.name,
            "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
            "usage": {"prompt_tokens": prompt, "completion_tokens": sampled, "total_tokens": prompt + sampled},
        }

    async def _score(self, body: Body) -> Answer:
        pairs = list(zip(body["prompts"], body["answers"], strict=True))
        await asyncio.gather(*(self._forward(prompt + answer) for prompt, answer in pairs))
        return HTTPStatus.OK, {"scores": [scores(prompt, answer) for prompt, answer in pairs]}

    async def _forward(self, text: str) -> None:
        async for _ in self.engine.generate(Request(text, Sampling(max_tokens=1))):
            pass


def scores(prompt: str, answer: str) -> list[float]:
    """Returns a reward a paragraph, above one half where its mark says that it is right, or by chance without one."""
    found = []
    for number, step in enumerate(step for step in _MARKED.split(answer) if step.strip()):
        rng = dice("score", number, prompt, answer)
        right, sure = last_mark(step), 0.5 * rng.random()
        found.append(0.5 + sure if (rng.random() < 0.5 if right is None else right) else 0.5 - sure)
    return found


def _end(completion: Completion) -> Body:
    tokens = None if completion.tokens is None else write_tokens(completion.tokens)
    if tokens is not None:
        # Servers report the model's own distribution.
        del tokens["sampled_logprobs"]
    return {"finish_reason": completion.finish_reason, "stop_reason": completion.stop, "logprobs": tokens}


def _error(status: HTTPStatus, message: str) -> Answer:
    return status, {"error": {"message": message, "type": status.phrase, "code": status.value}}


class Connection(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, one request after the other, just enough of it to cost little."""

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self._received = bytearray()
        self._busy: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        """Drops the request of a client that has gone."""
        if self._busy is not None:
            self._busy.cancel()

    def data_received(self, data: bytes) -> None:
        """Takes what came; starts on a request when it is whole."""
        self._received += data
        if self._busy is None:
            self._next()

    def _next(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        length = _LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < whole:
            return
        body = bytes(self._received[end + 4 : whole])
        del self._received[:whole]
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self._busy = asyncio.ensure_future(self._serve(method, path, body, b"connection: close" in head.lower()))

    async def _serve(self, method: str, path: str, body: bytes, last: bool) -> None:
        strikes = method == "POST" and path.startswith(("/v1/", "/score"))
        fault = next(self._server.faults) if strikes else None
        if fault == "hang":
            await asyncio.get_running_loop().create_future()
        if fault in _STATUS:
            status, answer = _error(_STATUS[fault], "simulated")
        else:
            status, answer = await self._server.answer(method, path, body)
        data = json.dumps(answer).encode()
        retry = "Retry-After: 0\r\n" if status == HTTPStatus.TOO_MANY_REQUESTS else ""
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"{retry}Content-Length: {len(data)}\r\n\r\n"
        )
        self._transport.write(head.encode() + (data[: len(data) // 2] if fault == "cut" else data))
        if last or fault == "cut":
            self._transport.close()
            return
        self._busy = None
        self._next()


_STATUS = {"refuse": HTTPStatus.TOO_MANY_REQUESTS, "fail": HTTPStatus.INTERNAL_SERVER_ERROR}


def configured_engine(role: str, overrides: list[str]) -> SimulatedEngine:
    """Returns the simulated engine that `python -m tts OVERRIDES` would give a role.

    Raises:
        UserError: The configuration cannot work.
    """
    chosen = [
        change for role in ("policy", "verifier") for change in (f"{role}=simulated", f"engine@{role}.engine=simulated")
    ]
    with initialize_config_module("conf", version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("config", [*chosen, *overrides]), resolve=True)
    engine = shared_engine(config[role]["engine"], f"{role}.engine")
    if not isinstance(engine, SimulatedEngine):
        raise UserError(f"engine@{role}.engine: only the simulated engine can be served")
    return engine


async def listen(engine: SimulatedEngine, faults: Faults, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Serves an engine on the running loop; port 0 takes any that is free."""
    await engine.start()
    server = SimulatedServer(engine, faults)
    return await asyncio.get_running_loop().create_server(lambda: Connection(server), host, port, backlog=4096)


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """Runs the server in a process of its own and yields its URL, up to and with `/v1`; arguments as on the command line."""
    command = [sys.executable, "-m", "benchmarks.simserver", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"{' '.join(command)}: it did not start")
            yield url
        finally:
            process.terminate()


async def _main(arguments: argparse.Namespace, engine: SimulatedEngine) -> None:
    faults = Faults(arguments.refuse, arguments.fail, arguments.hang, arguments.cut, arguments.fault_seed)
    server = await listen(engine, faults, arguments.host, arguments.port)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}/v1", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=8000, help="0 takes any that is free; the URL is the first line printed"
    )
    parser.add_argument("--role", choices=("policy", "verifier"), default="policy", help="whose model is served")
    for name, does in (
        ("refuse", "are refused (429)"),
        ("fail", "fail (500)"),
        ("hang", "are never answered"),
        ("cut", "lose their connection"),
    ):
        parser.add_argument(
            f"--{name}", type=float, default=0.0, metavar="SHARE", help=f"share of requests that {does}"
        )
    parser.add_argument("--fault-seed", type=int, default=0)
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    try:
        engine = configured_engine(arguments.role, arguments.overrides)
    except UserError as error:
        parser.exit(2, f"error: {error}\n")
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(arguments, engine))


if __name__ == "__main__":
    main()
