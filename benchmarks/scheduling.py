"""How close a search comes to the speed of its engines, compared with other schedules: `python -m benchmarks.scheduling`.

Two simulated GPUs (`benchmarks.simserver`, one process each) serve a policy and a verifier over HTTP. The same strategies
request the same samples in three ways: by this project's runtime; with a barrier after every phase (all problems'
generations are awaited, then all verifications, then the next step begins); and in a loop, one problem at a time.

The *bound* is the larger of two times, both computed from the requested samples (`benchmarks.bound`):

- work: for each engine the sum over its samples of tokens x (tick_base / max_sequences + tick_per_sequence), plus prefill of
  the prompt tokens that no cache can hold; the larger sum of the two engines counts;
- critical path: the search's time if every sample had a GPU to itself; for a beam, each depth's choice waits for all of its
  judgements.

No schedule reaches it in general: at the end of a run too little work is left to fill the batch. `ideal` is our schedule in
virtual time, where runtime, HTTP and machine take no time; its difference to `ours` is their overhead.

Without options: three cells over HTTP, their loops in virtual time (marked ~), eight minutes. --virtual: all 36 cells in
virtual time, without servers, minutes. --full: all cells over HTTP, hours.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product

import httpx

from benchmarks.scheduled import GPUS, SCHEDULES, STRATEGIES, VERIFIERS, Cell, Run, at_home, bound, overrides, search
from benchmarks.simserver import serving
from tts.budget import Role
from tts.engines.openai import OpenAIEngine

ENGINES = {"policy": "simulated-policy", "verifier": "simulated-genprm"}


class Servers:
    """The two servers.

    Args:
        urls: Each role's URL, including `/v1`.
    """

    def __init__(self, urls: dict[Role, str]) -> None:
        self._urls = urls
        self.loads: list[tuple[float, ...]] = []
        """For every run the CPU load of this process, the policy's server and the verifier's, in cores."""

    def run(self, cell: Cell, schedule: str) -> Run:
        """Runs a cell on idle servers with empty caches."""
        bases = [url.removesuffix("/v1") for url in self._urls.values()]
        for base in bases:
            httpx.post(f"{base}/reset").raise_for_status()
        engines = {role: OpenAIEngine(ENGINES[role], url) for role, url in self._urls.items()}

        def cpu() -> list[float]:
            return [time.process_time(), *(httpx.get(f"{base}/stats").json()["cpu_s"] for base in bases)]

        before = cpu()
        run = asyncio.run(search(cell, schedule, engines))
        self.loads.append(tuple((b - a) / run.wall for a, b in zip(before, cpu(), strict=True)))
        return run


@contextmanager
def servers() -> Iterator[Servers]:
    """Starts the servers, and stops them at the end."""
    with ExitStack() as stack:
        yield Servers({role: stack.enter_context(serving("--role", role, *overrides(role))) for role in GPUS})


def measure(cell: Cell, ways: Mapping[str, Callable[[Cell, str], Run]], repetitions: Mapping[str, int]) -> str:
    """Returns a cell's line of the table.

    Args:
        cell: The cell.
        ways: How to run each schedule: `at_home`, or on servers.
        repetitions: Number of runs of each schedule; the median counts.

    Raises:
        RuntimeError: The schedules did not give the same answers from the same samples.
    """
    ideal = at_home(cell, "ours")
    least = bound(cell, ideal.logs)
    line = f"{cell.strategy:<10} {cell.verifier:<6} {cell.problems:>3} {cell.n:>3} {least.seconds:7.1f} {least.by:<8}"
    line += f" {ideal.wall:6.1f} ({least.seconds / ideal.wall:.3f})"
    for schedule in SCHEDULES:
        way = ways[schedule]
        runs = (
            [ideal]
            if (way, schedule) == (at_home, "ours")
            else [way(cell, schedule) for _ in range(repetitions[schedule])]
        )
        for run in runs:
            if run.answers != ideal.answers or any(
                log.samples.keys() != ideal.logs[role].samples.keys() for role, log in run.logs.items()
            ):
                raise RuntimeError(f"{cell}, {schedule}: not the same search")
        wall = statistics.median(run.wall for run in runs)
        line += f" {'~' if way is at_home else ' '}{wall:6.1f} ({least.seconds / wall:.3f})"
    return line


HEAD = "strategy   verif.   P   N   bound s by        ideal s         ours s          barrier s       loop s"
MAIN = (Cell("best_of_n", "cheap", 32, 16), Cell("beam", "slow", 8, 16), Cell("beam", "slow", 32, 16))
ALL = tuple(Cell(*axes) for axes in product(STRATEGIES, VERIFIERS, (1, 8, 32), (4, 16, 64)))


def main(cells: tuple[Cell, ...], over_http: tuple[str, ...], repetitions: int) -> None:
    """Prints the table.

    Args:
        cells: The cells, one per line.
        over_http: The schedules to run on servers.
        repetitions: Runs of ours over HTTP if the cell takes less than a minute.
    """
    for role, gpu in GPUS.items():
        print(f"{role}: {gpu}")
    print("wall time in s (bound / wall); ~: virtual time\n" + HEAD, flush=True)
    with ExitStack() as stack:
        served = stack.enter_context(servers()) if over_http else None
        ways = {schedule: served.run if served and schedule in over_http else at_home for schedule in SCHEDULES}
        for cell in cells:
            often = repetitions if cell.problems * cell.n <= 128 or cell.verifier == "cheap" else 1
            print(measure(cell, ways, {"ours": often, "barrier": 1, "loop": 1}), flush=True)
    if served:
        middle, most = ([f(column) for column in zip(*served.loads, strict=True)] for f in (statistics.median, max))
        for name, m, x in zip(("client", "policy's server", "verifier's server"), middle, most, strict=True):
            print(f"CPU of the {name}: {m:.0%} of a core, at most {x:.0%} (means over each run)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", action="store_true", help="all cells, without servers")
    parser.add_argument("--full", action="store_true", help="all cells and schedules over HTTP")
    parser.add_argument("--repetitions", type=int, default=2, help="of ours, in cells of less than a minute")
    parser.add_argument("--verifier-sequences", type=int, default=GPUS["verifier"].max_sequences)
    arguments = parser.parse_args()
    GPUS["verifier"] = replace(GPUS["verifier"], max_sequences=arguments.verifier_sequences)
    main(
        ALL if arguments.full or arguments.virtual else MAIN,
        () if arguments.virtual else SCHEDULES if arguments.full else ("ours", "barrier"),
        arguments.repetitions,
    )
