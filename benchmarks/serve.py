"""What the endpoint costs: `python -m benchmarks.serve [throughput] [cost] [leaving]`.

- throughput: 64 callers on simulated engines, in virtual time, against the batched runner with 64 problems in flight.
- cost: CPU time of a server's process for each request, with an engine that answers at once, less that of the search
  alone; and its resident memory over ten thousand requests.
- leaving: the time from the end of a connection until the engine has stopped working for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn

from benchmarks.overhead import NullEngine
from tts import Runtime
from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.compose import configuration
from tts.core import Problem
from tts.engines.generating import Completion, Request
from tts.serve.catalogue import Catalogue
from tts.serve.limits import ServerLimits
from tts.serve.server import Settings, endpoints, read_settings

CALLERS = 64
SEARCH = ("search=best_of_n", "search.n=16")
SIMULATED = ("experiment=simulated", "task.size=192", "in_flight.problems=64", *SEARCH)
URL = "http://127.0.0.1"


def settings(**models: Mapping[str, object]) -> Settings:
    """Returns the settings of a server of these models."""
    config, _ = configuration("serve", ("limits.seconds=1e9",))
    return read_settings({**config, "models": models})


async def pooled(items: list[str], ask: Callable[[str], Awaitable[object]]) -> None:
    """Asks for every item, always by as many callers."""
    left = iter(items)

    async def caller() -> None:
        for item in left:
            await ask(item)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def body(question: str) -> dict[str, object]:
    """Returns a request."""
    return {"model": "search", "messages": [{"role": "user", "content": question}]}


async def batched() -> tuple[list[str], float]:
    """Returns the questions, and the virtual seconds that the runner takes for them."""
    from tts.evaluation.calls import aevaluate

    began = asyncio.get_running_loop().time()
    async with Runtime() as runtime:
        done = await aevaluate(*SIMULATED, runtime=runtime)
    return [record["question"] for record in done.records], asyncio.get_running_loop().time() - began


async def served(questions: list[str]) -> float:
    """Returns the virtual seconds that a server takes for them."""
    search = {"experiment": "simulated", "task.size": 192, "search": "best_of_n", "search.n": 16}
    async with Runtime() as runtime:
        app, service = endpoints(settings(search=search), runtime)
        await service.catalogue.check()
        began = asyncio.get_running_loop().time()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:

            async def ask(question: str) -> None:
                (await client.post("/v1/chat/completions", json=body(question))).raise_for_status()

            await pooled(questions, ask)
        return asyncio.get_running_loop().time() - began


def throughput() -> None:
    """Compares the two."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        questions, alone = runner.run(batched())
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        together = runner.run(served(questions))
    print(f"{len(questions)} problems, {CALLERS} at once: runner {alone:.1f} s, server {together:.1f} s (virtual),")
    print(f"the server has {alone / together:.3f} of the runner's throughput")


@asynccontextmanager
async def listening(engine: NullEngine) -> AsyncIterator[int]:
    """Serves on a port with an engine that answers at once."""
    async with Runtime(sandbox="none", engines={"policy": engine}, verifier="calculator") as runtime:
        app, _ = endpoints(settings(search={"search": "best_of_n", "search.n": 16}), runtime)
        place = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve([place]))
        try:
            yield place.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def child() -> None:
    """Serves until its input ends."""
    async with listening(NullEngine()) as port:
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def cpu_s(pid: int) -> float:
    """Returns the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Returns the resident megabytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def alone(searches: int) -> float:
    """Returns the CPU milliseconds of a search without a server."""
    async with Runtime(sandbox="none", engines={"policy": NullEngine()}, verifier="calculator") as runtime:
        composition = runtime.composed(*SEARCH)
        questions = [f"What is {number} + 1?" for number in range(searches)]
        began = time.process_time()

        async def ask(question: str) -> None:
            await runtime.searched(composition, Problem("problem", question))

        await pooled(questions, ask)
        return (time.process_time() - began) * 1e3 / searches


async def composing(seeds: int) -> float:
    """Returns the CPU milliseconds that a request with settings of its own takes once, here a seed."""
    models = settings(search={"search": "best_of_n"}).models
    async with Runtime(sandbox="none") as runtime:
        catalogue = Catalogue(models, runtime, ServerLimits())
        await catalogue.check()
        began = time.process_time()
        for seed in range(1, seeds + 1):
            await catalogue.composed("search", None, (("seed", seed),))
        return (time.process_time() - began) * 1e3 / seeds


async def cost(requests: int, process: subprocess.Popen[str]) -> None:
    """Measures a server in a process of its own, which writes its port."""
    assert process.stdout is not None
    port = int(process.stdout.readline())
    search = await alone(1000)
    sizes, times = [], []
    async with httpx.AsyncClient(base_url=f"{URL}:{port}", timeout=None) as client:

        async def ask(question: str) -> None:
            (await client.post("/v1/chat/completions", json=body(question))).raise_for_status()

        for part in range(11):
            began = cpu_s(process.pid)
            await pooled([f"What is {part} + {number}?" for number in range(requests // 10)], ask)
            times.append((cpu_s(process.pid) - began) * 1e4 / requests)
            sizes.append(resident(process.pid))
    took = statistics.median(times[1:])
    print(f"CPU a request {took:.2f} ms, of which the search alone {search:.2f} ms: overhead {took - search:.2f} ms")
    print(f"settings that were not asked for before: {await composing(200):.2f} ms once")
    print(f"resident MB after each tenth of {requests:,} requests: {' '.join(f'{size:.0f}' for size in sizes[1:])}")


class _Stuck(NullEngine):
    """Never answers; counts what it works on."""

    def __init__(self) -> None:
        super().__init__()
        self.working = 0

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Waits."""
        self.working += 1
        try:
            await asyncio.Event().wait()
            yield Completion("", "stop")
        finally:
            self.working -= 1


async def leaving(times: int) -> None:
    """Measures how long an engine works for nobody."""
    engine, took = _Stuck(), []
    async with listening(engine) as port:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            asked = json.dumps({**body("What is 1 + 1?"), "stream": True}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(asked)}\r\n"
            writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + asked)
            await reader.readuntil(b"data: ")
            while not engine.working:  # noqa: ASYNC110
                await asyncio.sleep(1e-3)
            began = time.perf_counter()
            writer.close()
            while engine.working:  # noqa: ASYNC110
                await asyncio.sleep(0)
            took.append((time.perf_counter() - began) * 1e3)
    print(f"{times} streams left: the engine stops after {statistics.median(took):.1f} ms, at most {max(took):.1f} ms")


def main() -> None:
    """Runs the benchmarks that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "throughput", "cost", "leaving"])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        asyncio.run(child())
        return
    if not given.parts or "throughput" in given.parts:
        throughput()
    if not given.parts or "cost" in given.parts:
        command = [sys.executable, "-m", "benchmarks.serve", "--child"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            asyncio.run(cost(given.requests, process))
            process.communicate()
    if not given.parts or "leaving" in given.parts:
        asyncio.run(leaving(50))


if __name__ == "__main__":
    main()
