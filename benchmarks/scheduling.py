"""How close a search comes to the speed of its engines, beside other schedules: `python -m benchmarks.scheduling`.

Two simulated GPUs (`benchmarks.simserver`, a process each) serve a policy and a verifier over HTTP. The same strategies ask
for the same samples in three ways: as this project's runtime runs them; with a barrier after every phase (all problems'
generations are awaited, then all verifications, then the next step begins); and in a loop, problem by problem.

The *bound* is the larger of two times, both from the samples that were asked for (`benchmarks.bound`):

- work: for each engine the sum over its samples of tokens x (tick_base / max_sequences + tick_per_sequence), and prefill of
  the prompt tokens that no cache can hold; the larger of the two engines' counts;
- critical path: the search's time if every sample had a GPU to itself; for a beam, each depth's choice waits for all of its
  judgements.

No schedule reaches it in general: at the end of a run there is not enough left to fill the batch. `ideal` is our schedule in
virtual time, where the runtime, HTTP and the machine take no time at all; what lies between it and `ours` they have lost.

Without options: three cells over HTTP, their loops in virtual time (marked ~), eight minutes. --virtual: all 36 cells in
virtual time, without servers, minutes. --full: all cells over HTTP, hours.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import TypeVar

import httpx

from benchmarks.bound import Alone, Gpu, Log
from benchmarks.simserver import configured_engine, scores, serving
from policies.base import BasePolicy
from policies.chat import ChatPolicy
from search.beam import Beam
from search.best_of_n import BestOfN
from tts.budget import Role, Scope
from tts.concurrency.virtual_clock import VirtualLoop
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.strategy import SearchStrategy
from tts.core.traits import PolicyTraits
from tts.core.verifier import Verifier
from tts.engines.generating import Engine, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.seeded import SeededSampler
from tts.engines.simulated import SimulatedEngine
from tts.evaluation.runner import Runner
from tts.evaluation.summary import Tally
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.sandbox.none import NoExecution
from tts.tasks.arithmetic import ArithmeticTask
from tts.tasks.grading import MathGrader
from verifiers.base import BaseVerifier
from verifiers.generative.genprm import GenPRM

T = TypeVar("T")

# The shape of the simulated engine's default GPU, whose tick takes three times as long with a full batch as with one
# sequence, but with 64 and 48 sequences in place of 256, so that 32 problems are many. Texts are shorter than real ones, so
# that a cell takes a minute: 24 tokens a step, 70 a judgement. Ticks are long, so that two cores keep up.
GPUS: dict[Role, Gpu] = {
    "policy": Gpu(max_sequences=64, tick_base=0.010, tick_per_sequence=0.00032, prefill=0.0001),
    "verifier": Gpu(max_sequences=48, tick_base=0.010, tick_per_sequence=0.00042, prefill=0.0001),
}
WRITERS: dict[Role, dict[str, float | str]] = {
    "policy": {"step_tokens": 15.0, "steps": "[3,6]"},
    "verifier": {"analysis_tokens": 20.0, "code_tokens": 5.0, "conclusion_tokens": 5.0},
}
PROBLEMS = 64
"""Worked on at once: all that a cell has."""

SCHEDULES = ("ours", "barrier", "loop")
ENGINES = {"policy": "simulated-policy", "verifier": "simulated-genprm"}


def overrides(role: Role) -> list[str]:
    """Returns what configures a role's simulated engine, in this process or in a server."""
    writer = {f"writer.{key}": value for key, value in WRITERS[role].items()}
    return [f"{role}.engine.{key}={value}" for key, value in (vars(GPUS[role]) | writer).items()]


class Reward(BaseVerifier):
    """A cheap PRM: one forward pass of the verifier's GPU over question and solution, as the server's /score does."""

    def __init__(self, engine: Engine) -> None:
        self._client = SeededSampler(engine)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Scores all steps, whatever was judged before: what the GPU still knows of the text, it does not compute again."""
        await self._client.complete(f"{problem.question}\n\n{solution.text}", Sampling(max_tokens=1), 0)
        return Verdict(tuple(scores(problem.question, solution.text)), (), "min")

    def token_bound(self, steps: int) -> int:
        """Returns the token that the pass samples."""
        return 1


VERIFIERS: dict[str, Callable[[Engine], Verifier]] = {
    "cheap": Reward,
    "slow": lambda engine: GenPRM(engine, NoExecution(), execute=False),
}
STRATEGIES: dict[str, Callable[[int], SearchStrategy]] = {
    "best_of_n": lambda n: BestOfN(n),
    "beam": lambda n: Beam(n, max(1, n // 4)),
}


class Barrier:
    """Gives nobody the result of his work before the work of all who came meanwhile is done."""

    def __init__(self) -> None:
        self._running = 0
        self._over = asyncio.Event()

    async def wait_for(self, work: Awaitable[T]) -> T:
        """Does the work, and waits for the others'."""
        over = self._over
        self._running += 1
        try:
            result = await work
        finally:
            self._running -= 1
            if not self._running:
                over.set()
                self._over = asyncio.Event()
        await over.wait()
        return result


class PolicyInPhases(BasePolicy):
    """A policy whose solutions land when those of all problems have."""

    traits = PolicyTraits(lacks=("revisions",))
    splits = True

    def __init__(self, policy: ChatPolicy) -> None:
        self._policy = policy
        self._barrier = Barrier()

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.solutions`."""
        return self._together(self._policy.solutions(problem, prefix, n, first))

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.steps`."""
        return self._together(self._policy.steps(problem, prefix, n, first))

    async def _together(self, landing: AsyncGenerator[Solution, None]) -> AsyncGenerator[Solution, None]:
        async def everything() -> list[Solution]:
            async with aclosing(landing):
                return [solution async for solution in landing]

        for solution in await self._barrier.wait_for(everything()):
            yield solution


class VerifierInPhases(BaseVerifier):
    """A verifier whose verdicts land when those of all problems have."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._barrier = Barrier()

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """As `Verifier.verify`."""
        return await self._barrier.wait_for(self._verifier.verify(problem, solution, prior))


@dataclass(frozen=True)
class Cell:
    """What is searched.

    Attributes:
        strategy: A key of `STRATEGIES`.
        verifier: A key of `VERIFIERS`.
        problems: P.
        n: N; a beam keeps a quarter.
    """

    strategy: str
    verifier: str
    problems: int
    n: int


@dataclass(frozen=True)
class Run:
    """What came of a search.

    Attributes:
        wall: Seconds of the event loop's clock.
        answers: By problem.
        logs: What was sampled.
    """

    wall: float
    answers: dict[str, str | None]
    logs: dict[Role, Log]


class _Silent:
    def update(self, tally: Tally, meter: Scope) -> None:
        """Does nothing."""


async def search(cell: Cell, schedule: str, engines: Mapping[Role, Engine], limit: int | None = None) -> Run:
    """Runs a cell.

    Args:
        cell: What to search.
        schedule: How, one of `SCHEDULES`.
        engines: Where.
        limit: Samples in flight; None for twice what the GPU decodes together, as the openai engine's documentation advises.

    Raises:
        RuntimeError: A problem ended with an error.
    """
    for engine in engines.values():
        await engine.start()
    logs = {role: Log(engine, role, limit or 2 * GPUS[role].max_sequences) for role, engine in engines.items()}
    policy, verifier = ChatPolicy(logs["policy"], chat="chatml"), VERIFIERS[cell.verifier](logs["verifier"])
    proposing, judging = LimitedPolicy(policy), CheckedVerifier(verifier)
    if schedule == "barrier":
        proposing, judging = LimitedPolicy(PolicyInPhases(policy)), CheckedVerifier(VerifierInPhases(verifier))
    strategy, grader, answers = STRATEGIES[cell.strategy](cell.n), MathGrader(), {}

    async def solve(problem: Problem) -> SearchResult:
        result = await strategy.search(problem, proposing, judging, grader)
        answers[problem.id] = result.answer
        return result

    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(solve, grader, Path(folder), 1 if schedule == "loop" else PROBLEMS)
        clock = asyncio.get_running_loop().time
        began = clock()
        outcome = await runner.run(islice(ArithmeticTask().problems(), cell.problems), _Silent(), {})
        wall = clock() - began
    await grader.close()
    for engine in engines.values():
        await engine.close()
    if outcome.tally.n_errors:
        raise RuntimeError(f"{cell}, {schedule}: {outcome.tally.n_errors} problems ended with an error")
    return Run(wall, answers, logs)


def virtually(cell: Cell, schedule: str, engines: Mapping[Role, Engine], limit: int | None = None) -> Run:
    """Runs a cell in virtual time; arguments as of `search`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as loop:
        return loop.run(search(cell, schedule, engines, limit))


@cache
def engine_at_home(role: Role) -> SimulatedEngine:
    """Returns a role's simulated engine in this process; idle, with an empty cache, in every new event loop."""
    return configured_engine(role, overrides(role))


def at_home(cell: Cell, schedule: str) -> Run:
    """Runs a cell in virtual time on simulated engines in this process."""
    return virtually(cell, schedule, {role: engine_at_home(role) for role in GPUS})


def critical_path(cell: Cell, logs: Mapping[Role, Log]) -> float:
    """Returns the seconds that a cell takes if every sample has a GPU to itself."""
    engines = {role: Alone(log, GPUS[role]) for role, log in logs.items()}
    return virtually(cell, "ours", engines, limit=1 << 30).wall


@dataclass(frozen=True)
class Bound:
    """The time that a cell takes at least.

    Attributes:
        seconds: The time.
        by: What it is that takes so long: `path`, or the work of `policy` or `verifier`.
    """

    seconds: float
    by: str


def bound(cell: Cell, logs: Mapping[Role, Log]) -> Bound:
    """Returns the bound for what was sampled."""
    times: dict[str, float] = {role: log.work(GPUS[role]) for role, log in logs.items()}
    times["path"] = critical_path(cell, logs)
    by = max(times, key=lambda name: times[name])
    return Bound(times[by], by)


class Servers:
    """The two servers.

    Args:
        urls: Of each role's, up to and with `/v1`.
    """

    def __init__(self, urls: dict[Role, str]) -> None:
        self._urls = urls
        self.loads: list[tuple[float, ...]] = []
        """Of every run the CPU seconds a second of this process, the policy's server and the verifier's."""

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
    """Starts the servers, and ends them."""
    with ExitStack() as stack:
        yield Servers({role: stack.enter_context(serving("--role", role, *overrides(role))) for role in GPUS})


def measure(cell: Cell, ways: Mapping[str, Callable[[Cell, str], Run]], repetitions: Mapping[str, int]) -> str:
    """Returns a cell's line of the table.

    Args:
        cell: The cell.
        ways: How to run each schedule: `at_home`, or on servers.
        repetitions: How often each schedule is run; the median counts.

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
        cells: Its lines.
        over_http: The schedules that are run on servers.
        repetitions: Of ours over HTTP where the cell takes less than a minute.
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
