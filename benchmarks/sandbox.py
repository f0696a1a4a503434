"""Speed of the jail on one core, compared with other ways to run model-written code: `python -m benchmarks.sandbox`.

Everything is pinned to one core, one piece of code at a time. The ways alternate in rounds, so that a busy machine slows all
of them equally; figures are medians over the rounds, ratios are medians of the rounds' ratios. `per core` is the rate of an
otherwise idle core: the number of pieces divided by the CPU time of all processes involved.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tts.sandbox.jail import Jail

CODES = {
    "print": ("print(1 + 1)", "2\n"),
    "numpy": ("import numpy as np\nprint(np.linalg.inv(np.array([[2.0, 0.0], [0.0, 4.0]]))[1, 1])", "0.25\n"),
    "sympy": ("import sympy\nx = sympy.Symbol('x')\nprint(sympy.solve(x**2 - 5 * x + 6, x))", "[2, 3]\n"),
}
PACKAGES = "numpy, scipy, mpmath, sympy"
REPLAYED = 6  # pieces of history that are replayed before the measured piece

Run = Callable[[str], Awaitable[str]]
Way = Callable[[str], "contextlib.AbstractAsyncContextManager[Run]"]


@dataclass(frozen=True)
class Speed:
    """One way's speed with one code in one round.

    Attributes:
        rate: Pieces per second.
        median: Median seconds per piece.
        slowest: 99th percentile of the seconds per piece.
        cpu: CPU seconds per piece.
    """

    rate: float
    median: float
    slowest: float
    cpu: float


def family(root: int) -> list[int]:
    """Returns a process and all its descendants."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
        return [root, *(process for child in children for process in family(int(child)))]
    return []


def cpu_seconds() -> float:
    """Returns the CPU time of this process and its descendants, including ended ones."""
    ticks = 0
    for process in family(os.getpid())[1:]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15]))  # user and system time, of itself and of awaited children
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime + time.process_time()


def fresh_fork(jail: Jail) -> Way:
    """A separate process for each piece, forked from the zygote."""

    @asynccontextmanager
    async def way(code: str) -> AsyncIterator[Run]:
        async def run(code: str) -> str:
            return (await jail.run(code)).stdout

        yield run

    return way


def live_chain(jail: Jail) -> Way:
    """One chain whose process stays alive."""

    @asynccontextmanager
    async def way(code: str) -> AsyncIterator[Run]:
        chain = jail.chain()

        async def run(code: str) -> str:
            return (await chain.run(code)).stdout

        yield run
        await chain.close()

    return way


def replay(jail: Jail) -> Way:
    """A chain whose history has to be replayed first."""

    @asynccontextmanager
    async def way(code: str) -> AsyncIterator[Run]:
        count = 0

        async def run(code: str) -> str:
            nonlocal count
            count += 1  # a different history each time, so that no live process matches
            chain = jail.chain((f"count = {count}", *[code] * (REPLAYED - 1)))
            try:
                return (await chain.run(code)).stdout
            finally:
                await chain.close()

        yield run

    return way


@asynccontextmanager
async def fresh_interpreter(code: str) -> AsyncIterator[Run]:
    """A new `python -c` for each piece, which imports the packages."""

    async def run(code: str) -> str:
        command = [sys.executable, "-c", f"import {PACKAGES}\n{code}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221

    yield run


# A program that reads pieces of code and writes their outputs, both as JSON. It isolates nothing.
SERVE = """
import contextlib, io, json, multiprocessing, sys, PACKAGES
def execute(code):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, {})
    return output.getvalue()
def put(code, queue):
    queue.put(execute(code))
def fork(code):
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(code, queue))
    process.start()
    output = queue.get()
    process.join()
    return output
multiprocessing.set_start_method("fork")
for line in sys.stdin:
    print(json.dumps(RUN(json.loads(line))), flush=True)
"""


def program(function: str, packages: str = PACKAGES) -> Way:
    """Runs each piece with `function` of `SERVE`, in a process that has `packages` loaded."""

    @asynccontextmanager
    async def way(code: str) -> AsyncIterator[Run]:
        command = [sys.executable, "-c", SERVE.replace("RUN", function).replace("PACKAGES", packages)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:  # noqa: ASYNC220
            assert process.stdin is not None
            assert process.stdout is not None
            put, get = process.stdin, process.stdout

            async def run(code: str) -> str:
                put.write(json.dumps(code) + "\n")
                output: str = json.loads(get.readline())
                return output

            yield run
            put.close()

    return way


async def measure(way: Way, code: str, expected: str, count: int) -> Speed:
    """Runs the code `count` times."""
    durations = []
    async with way(code) as run:
        await run(code)
        cpu_before, started = cpu_seconds(), time.perf_counter()
        for _ in range(count):
            begin = time.perf_counter()
            output = await run(code)
            durations.append(time.perf_counter() - begin)
            if output != expected:
                raise RuntimeError(f"{code!r} printed {output!r}")
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu_before
    durations.sort()
    return Speed(count / wall, statistics.median(durations), durations[int(0.99 * len(durations))], cpu / count)


def report(name: str, way: str, rounds: list[Speed]) -> None:
    """Prints a line of the table."""
    rate, median, slowest, cpu = (
        statistics.median(values)
        for values in zip(*((s.rate, s.median, s.slowest, s.cpu) for s in rounds), strict=True)
    )
    print(f"{name:<6} {way:<26} {rate:8.0f}/s {1e3 * median:9.2f} {1e3 * slowest:9.2f} {1 / cpu:9.0f}/s")


async def main(rounds: int, count: int) -> None:
    """Prints the table and the ratios."""
    jail = Jail(workers=1, timeout=30.0)
    await jail.start()
    ways: dict[str, tuple[Way, float]] = {  # with the share of `count` to run
        "fresh fork": (fresh_fork(jail), 1),
        "live chain": (live_chain(jail), 4),
        f"replay of {REPLAYED} pieces": (replay(jail), 0.25),
        # From a process with nothing else loaded, and from one that also holds torch, as in a search with local models.
        "forked multiprocessing": (program("fork"), 0.5),
        "the same, host with torch": (program("fork", f"torch, transformers, {PACKAGES}"), 0.25),
        "fresh python -c": (fresh_interpreter, 0.02),
        "exec in process (unsafe)": (program("execute"), 4),
    }
    print(f"layers: {', '.join(jail.layers)}; medians of {rounds} rounds on one core")
    print(f"{'':<33} {'wall':>10} {'p50 ms':>9} {'p99 ms':>9} {'per core':>11}")
    for name, (code, expected) in CODES.items():
        speeds: dict[str, list[Speed]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (run, share) in ways.items():
                speeds[way].append(await measure(run, code, expected, max(2, int(share * count))))
        for way, measured in speeds.items():
            report(name, way, measured)
        for other in ("forked multiprocessing", "the same, host with torch", "fresh python -c"):
            ratios = [new.rate / old.rate for new, old in zip(speeds["fresh fork"], speeds[other], strict=True)]
            print(
                f"{name:<6} fresh fork : {other} = {statistics.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]"
            )
    await jail.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="pieces per round of fresh forks")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    asyncio.run(main(arguments.rounds, arguments.count))
