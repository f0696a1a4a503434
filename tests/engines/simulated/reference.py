"""The GPU's rules carried out one tick at a time: slow, and plainly right."""

from __future__ import annotations

from tts.engines.simulated.gpu import Rates, Sequence
from tts.engines.simulated.prefix_cache import PrefixCache


class TickingGpu:
    def __init__(self, rates: Rates, cache: PrefixCache) -> None:
        self.rates, self.cache = rates, cache
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.boundary: int | None = None
        """When the current tick ends, or at which the next begins where nothing runs."""
        self.began = 0
        self.tick = 0
        self.busy = self.ticks = self.tokens = 0
        self.order: list[Sequence] = []

    def submit(self, now: int, sequence: Sequence) -> None:
        self.run_before(now)
        self.waiting.append(sequence)
        if self.boundary is None:
            self.boundary = now

    def cancel(self, now: int, sequence: Sequence) -> None:
        self.run_before(now)
        sequence.cancelled = sequence.ended is None

    def advance(self, now: int) -> None:
        self.run_before(now + 1)

    def run_before(self, limit: int) -> None:
        while self.boundary is not None and self.boundary < limit:
            self.step(self.boundary)

    def step(self, now: int) -> None:
        if self.running:
            self.tick += 1
            self.ticks += 1
            self.busy += now - self.began
            self.tokens += len(self.running)
        for sequence in self.running:
            sequence.generated += 1
            if sequence.generated == sequence.tokens and not sequence.cancelled:
                sequence.ended = now
                self.cache.store(sequence.text_blocks)
        self.running = [s for s in self.running if not s.cancelled and s.ended is None]
        prefill = 0
        self.waiting = [s for s in self.waiting if not s.cancelled]
        while self.waiting and len(self.running) < self.rates.max_sequences:
            sequence = self.waiting.pop(0)
            sequence.admitted = self.tick
            prefill += sequence.prompt_tokens - self.cache.match(sequence.prompt_blocks)
            self.cache.store(sequence.prompt_blocks)
            self.running.append(sequence)
            self.order.append(sequence)
        self.began = now
        tick = self.rates.tick_base + self.rates.tick_per_sequence * len(self.running)
        self.boundary = now + self.rates.prefill * prefill + tick if self.running else None
