"""A run as a stream of problems over pools of replicas: for runs that are too large to simulate sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from operator import attrgetter

from tts.budget import Role
from tts.planning.load import Load
from tts.planning.pool import Pool, Progress


class Stream:
    """A run over a stream of problems. A problem in progress is a few numbers, one that has ended is none.

    Args:
        problems: Their loads, consumed as they begin.
        pools: The replicas of each role.
        in_flight: Problems in progress at once.

    Attributes:
        now: Nanoseconds since the beginning.
    """

    def __init__(self, problems: Iterable[Load], pools: Mapping[Role, Pool], in_flight: int) -> None:
        self.now = 0.0
        self._problems = (Progress(number, iter(load)) for number, load in enumerate(problems))
        self._pools = pools
        self._in_flight = in_flight

    def run(self) -> Iterator[int]:
        """Runs to the end; yields the number of problems that have ended whenever one does."""
        pools = list(self._pools.values())
        done = 0
        starting = self._in_flight
        while True:
            for problem in islice(self._problems, starting):
                self._go_on(problem)
            pool = min(pools, key=attrgetter("next_end"))
            if not pool.next_end < float("inf"):
                return
            self.now = pool.next_end
            problem = pool.end()
            starting = 0
            if not problem.open and not self._go_on(problem):
                starting = 1
                done += 1
                yield done

    def _go_on(self, problem: Progress) -> bool:
        """Begins the next segment of a problem; returns whether there is one."""
        for segment in problem.left:
            for role, part in segment.items():
                self._pools[role].submit(self.now, part, problem)
            return True
        return False
