"""The searches of the scheduling benchmark: its cells on simulated engines, under each schedule, and their bound."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from benchmarks.bound import Alone, Gpu, Log
from benchmarks.phases import PolicyInPhases, VerifierInPhases
from benchmarks.simserver import configured_engine
from benchmarks.simulated_api import scores
from policies.chat import ChatPolicy
from search.beam import Beam
from search.best_of_n import BestOfN
from tts.budget import Role
from tts.concurrency.virtual_clock import VirtualLoop
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.strategy import SearchStrategy
from tts.core.verifier import Verifier
from tts.engines.generating import Engine, Sampling
from tts.engines.seeded import SeededSampler
from tts.engines.simulated import SimulatedEngine
from tts.evaluation.runner import Runner
from tts.evaluation.solving import Solving
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.sandbox.none import NoExecution
from tts.tasks.arithmetic import ArithmeticTask
from tts.tasks.grading import MathGrader
from verifiers.base import BaseVerifier
from verifiers.generative.genprm import GenPRM

# The shape of the simulated engine's default GPU, whose tick takes three times as long with a full batch as with one
# sequence, but with 64 and 48 sequences instead of 256, so that 32 problems fill it. Texts are shorter than real ones, so
# that a cell takes a minute: 24 tokens per step, 70 per judgement. Ticks are long, so that two cores keep up.
GPUS: dict[Role, Gpu] = {
    "policy": Gpu(max_sequences=64, tick_base=0.010, tick_per_sequence=0.00032, prefill=0.0001),
    "verifier": Gpu(max_sequences=48, tick_base=0.010, tick_per_sequence=0.00042, prefill=0.0001),
}
WRITERS: dict[Role, dict[str, float | str]] = {
    "policy": {"step_tokens": 15.0, "steps": "[3,6]"},
    "verifier": {"analysis_tokens": 20.0, "code_tokens": 5.0, "conclusion_tokens": 5.0},
}
PROBLEMS = 64
"""Problems in flight: all of a cell's."""

SCHEDULES = ("ours", "barrier", "loop")


def overrides(role: Role) -> list[str]:
    """Returns the overrides that configure a role's simulated engine, in this process or in a server."""
    writer = {f"writer.{key}": value for key, value in WRITERS[role].items()}
    return [f"{role}.engine.{key}={value}" for key, value in (vars(GPUS[role]) | writer).items()]


class Reward(BaseVerifier):
    """A cheap PRM: one forward pass of the verifier's GPU over question and solution, like the server's /score."""

    def __init__(self, engine: Engine) -> None:
        self._client = SeededSampler(engine)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Scores all steps, regardless of `prior`: the GPU does not recompute the cached part of the text."""
        await self._client.complete(f"{problem.question}\n\n{solution.text}", Sampling(max_tokens=1), 0)
        return Verdict(tuple(scores(problem.question, solution.text)), (), "min")

    def token_bound(self, steps: int) -> int:
        """Returns 1: the pass samples one token."""
        return 1


VERIFIERS: dict[str, Callable[[Engine], Verifier]] = {
    "cheap": Reward,
    "slow": lambda engine: GenPRM(engine, NoExecution(), execute=False),
}
STRATEGIES: dict[str, Callable[[int], SearchStrategy]] = {
    "best_of_n": lambda n: BestOfN(n),
    "beam": lambda n: Beam(n, max(1, n // 4)),
}


@dataclass(frozen=True)
class Cell:
    """One combination of the benchmark.

    Attributes:
        strategy: A key of `STRATEGIES`.
        verifier: A key of `VERIFIERS`.
        problems: P, the number of problems.
        n: N; a beam keeps a quarter.
    """

    strategy: str
    verifier: str
    problems: int
    n: int


@dataclass(frozen=True)
class Run:
    """The outcome of a search.

    Attributes:
        wall: Seconds of the event loop's clock.
        answers: The answers by problem.
        logs: The samples by role.
    """

    wall: float
    answers: dict[str, str | None]
    logs: dict[Role, Log]


async def search(cell: Cell, schedule: str, engines: Mapping[Role, Engine], limit: int | None = None) -> Run:
    """Runs a cell.

    Args:
        cell: The cell.
        schedule: One of `SCHEDULES`.
        engines: The engine of each role.
        limit: Samples in flight; None for twice the GPU's batch size, as the openai engine's documentation advises.

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
        work = Solving(solve, grader, 1 if schedule == "loop" else PROBLEMS)
        runner = Runner(work, Path(folder))
        clock = asyncio.get_running_loop().time
        began = clock()
        outcome = await runner.run(islice(ArithmeticTask().problems(), cell.problems), {})
        wall = clock() - began
    await grader.close()
    for engine in engines.values():
        await engine.close()
    if outcome.tally.n_errors:
        raise RuntimeError(f"{cell}, {schedule}: {outcome.tally.n_errors} problems ended with an error")
    return Run(wall, answers, logs)


def virtually(cell: Cell, schedule: str, engines: Mapping[Role, Engine], limit: int | None = None) -> Run:
    """Runs a cell in virtual time; arguments as for `search`."""
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
    """Returns the seconds that a cell takes if each sample has a GPU to itself."""
    engines = {role: Alone(log, GPUS[role]) for role, log in logs.items()}
    return virtually(cell, "ours", engines, limit=1 << 30).wall


@dataclass(frozen=True)
class Bound:
    """The minimum time of a cell.

    Attributes:
        seconds: The time.
        by: The limiting factor: `path`, or the work of `policy` or `verifier`.
    """

    seconds: float
    by: str


def bound(cell: Cell, logs: Mapping[Role, Log]) -> Bound:
    """Returns the bound for the recorded samples."""
    times: dict[str, float] = {role: log.work(GPUS[role]) for role, log in logs.items()}
    times["path"] = critical_path(cell, logs)
    by = max(times, key=lambda name: times[name])
    return Bound(times[by], by)
