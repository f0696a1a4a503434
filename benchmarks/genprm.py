"""Throughput of GenPRM: many verifications at once against the same verifications one request at a time, on one engine.

`python -m benchmarks.genprm`
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from typing import cast

from benchmarks.setup import close, job, start, verifier_of
from tts.budget import scope
from tts.engines.base import Completion, Engine, Request
from tts.types import Problem, Solution
from verifiers.base import Verifier

Pair = tuple[Problem, Solution]


class OneAtATime:
    """Lets one request through at a time, as a plain loop over steps would."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()

    async def generate(self, request: Request) -> AsyncIterator[Completion]:
        """Waits for its turn."""
        async with self._turn:
            async for completion in self._engine.generate(request):
                yield completion

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


async def rate(verifier: Verifier, pairs: list[Pair]) -> tuple[float, int, float]:
    """Returns judgements a second, their number, and the seconds they took."""
    with scope() as meter:
        started = time.monotonic()
        await asyncio.gather(*(verifier.verify(problem, solution) for problem, solution in pairs))
        seconds = time.monotonic() - started
    judgements = meter.usage["verifier"].verifications
    return judgements / seconds, judgements, seconds


async def main() -> None:
    """Samples solutions, judges them both ways, prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solutions", type=int, default=50)
    parser.add_argument("--votes", type=int, default=8)
    parser.add_argument("--alone", type=int, default=4, help="solutions judged one request at a time, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    made = job(f"task.size={arguments.solutions}", f"verifier.votes={arguments.votes}", *arguments.overrides)
    await start(made)
    pairs = [
        (problem, solution)
        for problem in made.task.problems()
        async for solution in made.policy.solutions(problem, Solution(), 1)
    ]
    engine = made.engines["verifier"]
    ratios = []
    for number in range(arguments.rounds):
        # Seeds of their own, so that no way of judging finds the other's sequences in the engine's prefix cache.
        fast = verifier_of(made, engine, seed=2 * number)
        slow = verifier_of(made, cast(Engine, OneAtATime(engine)), seed=2 * number + 1)
        few = pairs[number * arguments.alone :][: arguments.alone]
        slow_rate, slow_n, slow_s = await rate(slow, few)
        fast_rate, fast_n, fast_s = await rate(fast, pairs)
        ratios.append(fast_rate / slow_rate)
        print(
            f"round {number + 1}: together {fast_rate:7.1f} judgements/s ({fast_n} in {fast_s:.1f} s), "
            f"one at a time {slow_rate:6.1f}/s ({slow_n} in {slow_s:.1f} s): {ratios[-1]:.1f}x",
            flush=True,
        )
    print(f"median {sorted(ratios)[len(ratios) // 2]:.1f}x  ({arguments.solutions} solutions, K = {arguments.votes})")
    await close(made)


if __name__ == "__main__":
    asyncio.run(main())
