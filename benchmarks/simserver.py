r"""An OpenAI-compatible server that serves the simulated engine in real time, for benchmarks and tests without a GPU.

`python -m benchmarks.simserver --port 8000 [--role policy|verifier] [overrides as for python -m tts]`

    python -m benchmarks.simserver --port 8000 policy.engine.replicas=4 &
    python -m benchmarks.simserver --port 8001 --role verifier &
    python -m tts sandbox=none \
        policy=qwen2.5-math engine@policy.engine=openai policy.engine.base_url=http://127.0.0.1:8000/v1 \
        policy.engine.model=simulated-policy verifier=genprm engine@verifier.engine=openai \
        verifier.engine.base_url=http://127.0.0.1:8001/v1 verifier.engine.model=simulated-genprm

The server needs the same task (`task=...`) as the client, as the source of right answers.

Routes: GET /v1/models, /health, /stats (statistics of the GPUs, and this process's CPU time), /metrics (as of vLLM); POST
/v1/completions and /v1/chat/completions (n, seed, stop, include_stop_str_in_output, max_tokens, logprobs, ...; no streams),
/tokenize, /score (a cheap reward model: `prompts` and `answers` to a score per step, one forward pass per answer), /reset
(idle GPUs, empty caches). The options set which share of the requests to the POST routes under /v1 and to /score fails, and
how.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks.simulated_api import SimulatedServer, refusal
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.engines.simulated import SimulatedEngine
from tts.runtime.resources import Resources

ROOT = Path(__file__).parents[1]

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Faults:
    """The share of requests that each fault affects.

    Attributes:
        refuse: Answered with 429 and `Retry-After: 0`.
        fail: Answered with 500.
        hang: Never answered.
        cut: The connection is closed in the middle of the response.
        seed: Selects the requests; the same for the same order of requests.
    """

    refuse: float = 0.0
    fail: float = 0.0
    hang: float = 0.0
    cut: float = 0.0
    seed: int = 0

    def draw(self) -> Iterator[str | None]:
        """Yields the fault of each request, or None."""
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


class Connection(asyncio.Protocol):
    """One connection: a minimal, cheap HTTP/1.1 with keep-alive and one request at a time.

    Args:
        server: Answers the requests.
        faults: The fault of each request that may fail, or None.
    """

    def __init__(self, server: SimulatedServer, faults: Iterator[str | None]) -> None:
        self._server = server
        self._faults = faults
        self._received = bytearray()
        self._busy: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        """Cancels the request of a client that has disconnected."""
        if self._busy is not None:
            self._busy.cancel()

    def data_received(self, data: bytes) -> None:
        """Buffers the data; starts a request when it is complete."""
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
        fault = next(self._faults) if strikes else None
        if fault == "hang":
            await asyncio.get_running_loop().create_future()
        if fault in _STATUS:
            status, answer = refusal(_STATUS[fault], "simulated")
        else:
            status, answer = await self._server.answer(method, path, body)
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
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
    config, _ = configuration("config", [*chosen, *overrides])
    engine = Resources().engine(config[role]["engine"], f"{role}.engine")
    if not isinstance(engine, SimulatedEngine):
        raise UserError(f"engine@{role}.engine: only the simulated engine can be served")
    return engine


async def listen(engine: SimulatedEngine, faults: Faults, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Serves an engine on the running loop; port 0 takes any free port."""
    await engine.start()
    server, strikes = SimulatedServer(engine), faults.draw()
    return await asyncio.get_running_loop().create_server(lambda: Connection(server, strikes), host, port, backlog=4096)


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """Runs the server in a separate process and yields its URL, including `/v1`; arguments as on the command line."""
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
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=8000, help="0 takes any free port; the URL is the first line printed"
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
