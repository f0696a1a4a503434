"""Throughput of GenPRM: 50 solutions concurrently against the same verifications one request at a time, on one engine.

`python -m benchmarks.genprm`

The solutions are 50 samples of one problem and 10 samples each of 5 problems, as best-of-N judges them, and then one sample
each of 50 problems, which have no steps in common. The figure is votes on steps per second; with one request at a time,
every solution is judged separately.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Sequence

from benchmarks.setup import FASTER, opened, verifier_of
from tts.core import Problem, Solution, Verdict
from tts.engines.generating import Completion, Engine, Request, generating
from tts.engines.wrapping import WrappingGenerator
from tts.runtime.composition import Composition

Pair = tuple[Problem, Solution]


class OneAtATime(WrappingGenerator):
    """Passes on one request at a time, like a plain loop over steps."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._turn = asyncio.Lock()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Waits for its turn."""
        async with self._turn:
            async for completion in self.inside.generate(request):
                yield completion


async def together(search: Composition, pairs: Sequence[Pair], votes: int, seed: int) -> float:
    """Returns votes per second if all solutions are judged concurrently."""
    verifier = verifier_of(search, search.engines["verifier"], seed=seed, votes=votes)
    started = time.monotonic()
    verdicts = await asyncio.gather(*(verifier.verify(problem, solution) for problem, solution in pairs))
    return delivered(verdicts) / (time.monotonic() - started)


async def alone(search: Composition, pairs: Sequence[Pair], votes: int, seed: int) -> float:
    """Returns votes per second if every solution is judged separately, one request at a time."""
    engine = OneAtATime(generating(search.engines["verifier"]))
    started = time.monotonic()
    verdicts = [
        await verifier_of(search, engine, seed=seed + number, votes=votes).verify(problem, solution)
        for number, (problem, solution) in enumerate(pairs)
    ]
    return delivered(verdicts) / (time.monotonic() - started)


def delivered(verdicts: Sequence[Verdict]) -> int:
    """Returns the number of votes on steps."""
    return sum(len(vote.scores) for verdict in verdicts for vote in verdict.votes)


async def compare(problems: int, samples: int, arguments: argparse.Namespace) -> None:
    """Prints the ratio for `samples` solutions of each of `problems` problems."""
    async with opened(f"task.size={problems}", *FASTER, *arguments.overrides) as (_, job):
        search = job.search
        pairs = [
            (problem, solution)
            for problem in job.task.problems()
            async for solution in search.policy.solutions(problem, Solution(), samples)
        ]
        print(f"{problems} problems x {samples} samples, K = {arguments.votes}")
        ratios = []
        for number in range(arguments.rounds):
            # Different seeds, so that neither way finds the other's sequences in the engine's prefix cache.
            few = pairs[number :: len(pairs) // arguments.alone][: arguments.alone]
            slow = await alone(search, few, arguments.votes, 1000 * number + 1)
            fast = await together(search, pairs, arguments.votes, 1000 * number)
            ratios.append(fast / slow)
            print(
                f"  together {fast:7.1f} votes/s, one request at a time {slow:6.1f} votes/s: {fast / slow:.1f}x",
                flush=True,
            )
        print(f"  median {statistics.median(ratios):.1f}x", flush=True)


def main() -> None:
    """Compares both kinds of solutions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=8)
    parser.add_argument("--alone", type=int, default=4, help="solutions judged one request at a time, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    for problems, samples in ((1, 50), (5, 10), (50, 1)):
        asyncio.run(compare(problems, samples, arguments))


if __name__ == "__main__":
    main()
