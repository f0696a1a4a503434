"""A discrete-event model of one GPU with continuous batching; pure: no event loop, no clock, no text.

A *tick* is one forward pass: it gives each running sequence a token and lasts `tick_base + tick_per_sequence x running`.
Sequences are admitted between ticks in order of arrival while slots are free, and the tick that follows first computes the
prompt tokens of those admitted that the prefix cache does not hold, at `prefill` each, while the other sequences wait
(no chunked prefill). Time is in integer nanoseconds, so that a stretch of ticks without arrivals or departures can be
one event and still end exactly when the individual ticks would have ended.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence as Blocks
from dataclasses import dataclass, fields

from tts.engines.simulated.prefix_cache import PrefixCache


@dataclass(frozen=True)
class Rates:
    """The speed of a GPU; durations in nanoseconds.

    Attributes:
        tick_base: Per tick, whatever the batch: the weights are read once.
        tick_per_sequence: Per tick and running sequence: its keys and values are read, its token is sampled.
        prefill: Per prompt token.
        max_sequences: Maximum number of sequences that run at a time; at least 1.
    """

    tick_base: int
    tick_per_sequence: int
    prefill: int
    max_sequences: int

    def tick(self, sequences: float) -> float:
        """Returns the length of a tick of so many running sequences."""
        return self.tick_base + self.tick_per_sequence * sequences

    def work(self, tokens: float, prompt_tokens: float) -> float:
        """Returns the least time that tokens, and prompt tokens that no cache holds, take: in an always full batch."""
        return tokens * self.tick(self.max_sequences) / self.max_sequences + prompt_tokens * self.prefill


@dataclass
class Stats:
    """Totals of what GPUs did.

    Attributes:
        busy: Nanoseconds of ticks, prefill included.
        ticks: Number of ticks; `tokens / ticks` is the mean batch.
        tokens: Tokens sampled, those of cancelled sequences included.
        prompt_tokens: Prompt tokens of admitted sequences.
        cached_prompt_tokens: Those of them that the prefix cache held.
        finished: Sequences that finished.
        cancelled: Sequences that were cancelled, running or waiting.
    """

    busy: int = 0
    ticks: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    finished: int = 0
    cancelled: int = 0

    def add(self, other: Stats) -> None:
        """Adds another GPU's figures."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass(eq=False, slots=True)
class Sequence:
    """One sample to decode.

    Attributes:
        prompt_tokens: Length of the prompt.
        tokens: Number of tokens that it will have; at least 1.
        prompt_blocks: Keys of the prompt's full blocks, see `PrefixCache`.
        text_blocks: Keys of the full blocks of prompt and completion, which the cache holds once the sequence has
            ended.
        replica: Number of the GPU that it was sent to.
        admitted: Number of the tick after which it began to run; None while it waits.
        ended: When its last token was generated; None before that and if it was cancelled.
        cancelled: Whether it was cancelled.
        generated: Tokens sampled; known once it ended or released its slot.
    """

    prompt_tokens: int
    tokens: int
    prompt_blocks: Blocks[int] = ()
    text_blocks: Blocks[int] = ()
    replica: int = 0
    admitted: int | None = None
    ended: int | None = None
    cancelled: bool = False
    generated: int = 0


class Gpu:
    """The model of one GPU. The times passed to it must not decrease.

    Attributes:
        next_change: When the batch changes next; `advance` must be called then. None while there is nothing to do.
        load: Sequences that run or wait, except cancelled ones.
        settled: A new sequence has missed the ticks that ended before this time.
        stats: Totals up to the last change.
    """

    def __init__(self, rates: Rates, cache: PrefixCache) -> None:
        self.next_change: int | None = None
        self.load = 0
        self.stats = Stats()
        self._rates = rates
        self._cache = cache
        self._waiting: deque[Sequence] = deque()
        # Ordered by the number of their last tick, then by admission.
        self._running: list[tuple[int, int, Sequence]] = []
        self._admissions = 0
        self._dropped = False
        # The current stretch: it began after tick `_tick`, and its ticks last `_length` each, counted from `_origin`,
        # when its prefill is done. A `_length` of 0 means idle.
        self._tick = 0
        self._began = 0
        self._origin = 0
        self._length = 0
        self.settled = 0
        self._ended: list[Sequence] = []

    def submit(self, now: int, sequence: Sequence) -> None:
        """Queues a sequence; it is admitted when a tick ends at `now` or later, if there is a slot."""
        self._settle(now)
        self._waiting.append(sequence)
        self.load += 1
        if not self._length:
            self.next_change = now
        elif len(self._running) < self._rates.max_sequences:
            self._interrupt()

    def cancel(self, now: int, sequence: Sequence) -> None:
        """Drops a sequence; a running one releases its slot when the current tick ends, one that ended is unchanged."""
        self._settle(now)
        if sequence.cancelled or sequence.ended is not None:
            return
        sequence.cancelled = True
        self.load -= 1
        self.stats.cancelled += 1
        if sequence.admitted is not None:
            self._dropped = True
            self._interrupt()

    def advance(self, now: int) -> list[Sequence]:
        """Advances up to and including `now`; returns the sequences that ended since the last call, in order."""
        self._settle(now + 1)
        ended, self._ended = self._ended, []
        return ended

    def _interrupt(self) -> None:
        """Ends the stretch with the first tick that is not over yet."""
        ticks = max(1, -((self._origin - self.settled) // self._length))
        at = self._origin + ticks * self._length
        self.next_change = at if self.next_change is None else min(self.next_change, at)

    def _settle(self, limit: int) -> None:
        """Applies all changes before `limit`."""
        while self.next_change is not None and self.next_change < limit:
            self._change(self.next_change)
        self.settled = max(self.settled, limit)

    def _change(self, now: int) -> None:
        """Ends a stretch: releases finished sequences, admits waiting ones, begins the next."""
        if self._length:
            ticks = (now - self._origin) // self._length
            self._tick += ticks
            self.stats.busy += now - self._began
            self.stats.ticks += ticks
            self.stats.tokens += ticks * len(self._running)
        self._release(now)
        prefill = self._admit()
        if self._running:
            self._length = self._rates.tick_base + self._rates.tick_per_sequence * len(self._running)
            self._began, self._origin = now, now + prefill
            self.next_change = self._origin + (self._running[0][0] - self._tick) * self._length
        else:
            self._length = 0
            self.next_change = None

    def _release(self, now: int) -> None:
        if self._dropped:
            self._dropped = False
            for _, _, sequence in self._running:
                if sequence.cancelled:
                    assert sequence.admitted is not None
                    sequence.generated = self._tick - sequence.admitted
            self._running = [entry for entry in self._running if not entry[2].cancelled]
            heapq.heapify(self._running)
        while self._running and self._running[0][0] == self._tick:
            sequence = heapq.heappop(self._running)[2]
            sequence.ended = now
            sequence.generated = sequence.tokens
            self.load -= 1
            self.stats.finished += 1
            self._cache.store(sequence.text_blocks)
            self._ended.append(sequence)

    def _admit(self) -> int:
        """Fills the free slots; returns the nanoseconds of prefill that this takes."""
        prompt_tokens = cached = 0
        while self._waiting and len(self._running) < self._rates.max_sequences:
            sequence = self._waiting.popleft()
            if sequence.cancelled:
                continue
            sequence.admitted = self._tick
            self._admissions += 1
            heapq.heappush(self._running, (self._tick + sequence.tokens, self._admissions, sequence))
            prompt_tokens += sequence.prompt_tokens
            cached += self._cache.match(sequence.prompt_blocks)
            # At once, not when the prefill is done: samples of one prompt that arrive together share it, as in vLLM.
            self._cache.store(sequence.prompt_blocks)
        self.stats.prompt_tokens += prompt_tokens
        self.stats.cached_prompt_tokens += cached
        return self._rates.prefill * (prompt_tokens - cached)
