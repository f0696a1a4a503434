"""Overhead of the runtime: `python -m benchmarks.overhead`.

CPU time per engine request with an engine that answers immediately, through the whole stack: runner, strategy, policy,
budget, metering, grading, record and tree. Also memory over ten thousand problems: the resident size after each tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path

from policies.chat import ChatPolicy
from search.beam import Beam
from search.best_of_n import BestOfN
from search.majority import Majority
from tts.budget import Budget, Limits, scope
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.events import Event, Progressed, listening
from tts.core.strategy import SearchStrategy
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.metered import MeteredGenerator
from tts.engines.seeded import SeededSampler
from tts.evaluation.runner import Runner
from tts.evaluation.solving import Solving
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.tasks.grading import MathGrader
from verifiers.base import BaseVerifier

STEPS = 4  # of a solution
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # excludes the file system's cost of creating files
BUDGET = Budget(Limits(tokens=10**9), Limits(flops=1e30))  # limits to check that are never reached


class NullEngine:
    """Answers immediately with steps that end at the stop string, the last one with an answer."""

    name = "null"
    parameters = 1
    capacity = 512

    def __init__(self) -> None:
        self.requests = 0

    async def start(self) -> None:
        """Does nothing."""

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields a completion for each seed, after a turn of the event loop."""
        self.requests += 1
        await asyncio.sleep(0)
        stops = request.sampling.stop
        steps = request.prompt.count("\n\n")
        for index, seed in enumerate(request.seeds):
            if stops and steps < STEPS - 1:
                yield Completion(f"Step {steps}.\n\n", "stop", stops[0], None, 5, 20, index)
            else:
                yield Completion(f"Done. \\boxed{{{seed % 7}}}", "stop", None, None, 5, 20, index)

    async def count_tokens(self, text: str) -> int:
        """Returns a guess."""
        return len(text) // 4

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders plainly."""
        return "".join(message["content"] for message in messages)

    async def close(self) -> None:
        """Does nothing."""


class NullVerifier(BaseVerifier):
    """Calls its engine once per step and scores every step 0.5."""

    def __init__(self, engine: MeteredGenerator) -> None:
        self._client = SeededSampler(engine)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges the steps after those of `prior`."""
        scores = prior.scores if prior else ()
        for number in range(len(scores), len(solution.steps)):
            await self._client.complete(solution.steps[number], Sampling(), 0)
            scores = (*scores, 0.5)
        return Verdict(scores)


class Memory:
    """Records the resident size after every `every` problems."""

    def __init__(self, every: int) -> None:
        self.sizes: list[int] = []
        self._every = every

    def heard(self, event: Event) -> None:
        """Records the size when it is due."""
        if isinstance(event, Progressed) and event.done % self._every == 0:
            gc.collect()
            self.sizes.append(resident())


def resident() -> int:
    """Returns the bytes of memory in use."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def problems(count: int) -> Iterator[Problem]:
    """Yields problems."""
    return (Problem(f"p{number}", f"What is {number} + {number}?", "1") for number in range(count))


async def searched(strategy: SearchStrategy, count: int) -> tuple[int, float]:
    """Runs a strategy over null engines and returns the engine requests and the CPU seconds."""
    engine = NullEngine()
    gates = MeteredGenerator(engine, "policy"), MeteredGenerator(engine, "verifier")
    policy = LimitedPolicy(ChatPolicy(gates[0], chat="template"))
    verifier = CheckedVerifier(NullVerifier(gates[1]))
    grader = MathGrader()

    async def search(problem: Problem) -> SearchResult:
        return await strategy.search(problem, policy, verifier, grader)

    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        runner = Runner(Solving(search, grader, 64), Path(folder), BUDGET)
        started = time.process_time()
        await runner.run(problems(count), {})
        spent = time.process_time() - started
    await grader.close()
    return engine.requests, spent


async def client_alone(count: int) -> tuple[int, float]:
    """Sends single requests through client, budget and metering."""
    engine = NullEngine()
    client = SeededSampler(MeteredGenerator(engine, "policy"))
    with scope("run", BUDGET.run), scope("problem", BUDGET.problem):
        started = time.process_time()
        for _ in range(count // 100):
            await asyncio.gather(*(client.complete("What is 1 + 1?", Sampling(), index) for index in range(100)))
        return engine.requests, time.process_time() - started


async def main(count: int, repetitions: int) -> None:
    """Prints the figures."""
    cases: dict[str, Callable[[], Awaitable[tuple[int, float]]]] = {
        "seeded sampler, budget and metered engine alone": lambda: client_alone(50 * count),
        "majority, N = 1: a request a problem": lambda: searched(Majority(1), 20 * count),
        "best of 16: a request a problem, one a step": lambda: searched(BestOfN(16), count),
        "beam of 16, width 4: a request an expansion, one a step": lambda: searched(Beam(16, 4, depth=STEPS), count),
    }
    gc.freeze()  # as a run does after loading
    print(f"CPU microseconds per engine request, medians of {repetitions}")
    for name, case in cases.items():
        await case()
        costs = [1e6 * cpu / requests for requests, cpu in [await case() for _ in range(repetitions)]]
        print(f"  {name:<58} {statistics.median(costs):6.0f}  [{min(costs):.0f}, {max(costs):.0f}]")
    memory = Memory(1000)
    with listening(memory.heard):
        await searched(Majority(64), 10_000)
    print("resident MB after each thousand of 10,000 problems x 64 samples:")
    print("  " + " ".join(f"{size / 1e6:.0f}" for size in memory.sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.count, arguments.repetitions))
