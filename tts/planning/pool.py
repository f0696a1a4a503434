"""The replicas of one role as a pool whose load is spread evenly: they advance as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from tts.engines.simulated.gpu import Rates
from tts.planning.load import Part, Segment

_ROUNDING = 1e-6
"""Numbers of sequences are means, sums of fractions."""
_SMALL = 1 / 256
"""Of the slots: a part of at most this share begins as a whole or not at all, which saves most events of a large pool."""


@dataclass(slots=True, eq=False)
class Progress:
    """A problem in progress.

    Attributes:
        order: Its number: earlier ones go first.
        left: The segments that it has not begun.
        open: Pieces of its segment that wait or run.
    """

    order: int
    left: Iterator[Segment]
    open: int = 0


class Pool:
    """Replicas with the rules of `tts.engines.simulated.gpu.Gpu`, all equally loaded. Times are nanoseconds.

    Sequences that run generate a token a tick, whose length follows their number; what is left of each is known by how many
    tokens a sequence would have that had run from the beginning, so that an event costs the same however many run.

    Args:
        rates: The speed of a replica.
        replicas: Their number; at least 1.
        limit: Sequences in flight at most; None for as many as can run.

    Attributes:
        next_end: When the next sequences end; infinite while none runs.
        work: What has been submitted, as time of one replica with an always full batch.
    """

    def __init__(self, rates: Rates, replicas: int, limit: int | None = None) -> None:
        self.next_end = math.inf
        self.work = 0.0
        self._rates = rates
        self._replicas = replicas
        slots = rates.max_sequences * replicas
        self._slots: float = slots if limit is None else min(slots, limit)
        self._small = _SMALL * self._slots
        self._running = self._served = 0.0
        self._at = self._stall = 0.0
        self._tick = rates.tick(1)
        self._entries = count()
        # Ordered by problem; a part that did not fit as a whole is in it with the sequences that are left.
        self._waiting: list[tuple[int, int, float, Part, Progress]] = []
        # Ordered by the tokens that a sequence from the beginning has when they end.
        self._ends: list[tuple[float, int, float, Progress]] = []

    def submit(self, now: float, part: Part, problem: Progress) -> None:
        """Takes a part of a problem: it begins when there are slots, after those of earlier problems."""
        heappush(self._waiting, (problem.order, next(self._entries), part.sequences, part, problem))
        problem.open += 1
        self.work += self._rates.work(part.tokens * part.sequences, part.prompt_tokens)
        if self._running < self._slots:
            self._settle(now)
            self._admit()

    def end(self) -> Progress:
        """Advances to `next_end`; returns the problem of the sequences that end."""
        self._at, self._stall = self.next_end, 0.0
        self._served, _, sequences, problem = heappop(self._ends)
        self._running = self._running - sequences if self._ends else 0.0
        problem.open -= 1
        self._admit()
        return problem

    def _settle(self, now: float) -> None:
        passed, self._at = now - self._at, now
        stalled = min(passed, self._stall)
        self._stall -= stalled
        if self._ends:
            self._served += (passed - stalled) / self._tick

    def _admit(self) -> None:
        """Fills the free slots, and computes when the next sequences end."""
        waiting, prompt_tokens = self._waiting, 0.0
        while waiting:
            free, left = self._slots - self._running, waiting[0][2]
            if free < (left if left <= self._small else min(1.0, left)) - _ROUNDING:
                break
            order, entry, _, part, problem = heappop(waiting)
            taken = min(left, free)
            if left - taken > _ROUNDING:
                problem.open += 1
                heappush(waiting, (order, entry, left - taken, part, problem))
            self._running += taken
            heappush(self._ends, (self._served + part.tokens, next(self._entries), taken, problem))
            prompt_tokens += part.prompt_tokens * taken / part.sequences
        # A sequence that has a replica to itself takes ticks of one.
        self._tick = self._rates.tick(max(1.0, self._running / self._replicas))
        if prompt_tokens:
            # While a replica computes prompts its other sequences wait.
            self._stall += prompt_tokens * self._rates.prefill / max(1.0, min(self._replicas, self._running))
        ends = self._ends
        self.next_end = self._at + self._stall + (ends[0][0] - self._served) * self._tick if ends else math.inf
