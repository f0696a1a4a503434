"""GPUs behind one dispatcher.

A sequence goes to the GPU that last served the beginning of its prompt if that GPU has at most `affinity` more
unfinished sequences than the least loaded one; otherwise to the least loaded one, the lowest number among equals.
Cache-aware routers do the same (SGLang's gateway, vLLM's production stack); they, too, only remember what they sent
where.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence as Several

from tts.engines.simulated.gpu import Gpu, Rates, Sequence, Stats
from tts.engines.simulated.prefix_cache import PrefixCache

_HOMES = 1 << 18
"""How many prompt prefixes the dispatcher remembers."""


class Cluster:
    """Several GPUs with the interface of one.

    Args:
        replicas: Number of GPUs; at least 1.
        rates: The speed of each GPU.
        cache_tokens: Tokens that each GPU's prefix cache holds.
        cache_block: Tokens per cache block.
        affinity: How many more unfinished sequences than the least loaded GPU the GPU that last served the beginning of
            the prompt may have.
    """

    def __init__(self, replicas: int, rates: Rates, cache_tokens: int, cache_block: int, affinity: int) -> None:
        self._gpus = [Gpu(rates, PrefixCache(cache_tokens, cache_block)) for _ in range(replicas)]
        self._affinity = affinity
        # Heaps whose entries may be out of date; those that differ from their GPU's current state are skipped.
        self._loads = [(0, replica) for replica in range(replicas)]
        self._changes: list[tuple[int, int]] = []
        self._settled = 0
        self._homes: OrderedDict[int, int] = OrderedDict()

    @property
    def next_change(self) -> int | None:
        """When `advance` must be called next, in nanoseconds; None while there is nothing to do."""
        changes = self._changes
        while changes and self._gpus[changes[0][1]].next_change != changes[0][0]:
            heapq.heappop(changes)
        return changes[0][0] if changes else None

    def submit(self, now: int, sequence: Sequence) -> None:
        """Sends a sequence to a GPU."""
        sequence.replica = self._choose(sequence.prompt_blocks)
        if len(self._gpus) > 1:
            self._remember(sequence.prompt_blocks, sequence.replica)
        self._gpu(sequence).submit(now, sequence)
        self._note(sequence.replica)

    def cancel(self, now: int, sequence: Sequence) -> None:
        """Drops a sequence that was submitted."""
        self._gpu(sequence).cancel(now, sequence)
        self._note(sequence.replica)

    def advance(self, now: int) -> list[Sequence]:
        """Advances up to and including `now`; returns the sequences that ended."""
        ended = []
        while (change := self.next_change) is not None and change <= now:
            replica = self._changes[0][1]
            ended += self._gpus[replica].advance(now)
            self._note(replica)
        self._settled = now + 1
        if len(self._gpus) > 1:
            for sequence in ended:
                self._remember(sequence.text_blocks, sequence.replica)
        return ended

    def stats(self) -> Stats:
        """Returns the sum of all GPUs' statistics."""
        total = Stats()
        for gpu in self._gpus:
            total.add(gpu.stats)
        return total

    def _gpu(self, sequence: Sequence) -> Gpu:
        gpu = self._gpus[sequence.replica]
        # A GPU without changes does not know the current time yet.
        gpu.settled = max(gpu.settled, self._settled)
        return gpu

    def _note(self, replica: int) -> None:
        """Adds a GPU's current state to the heaps."""
        gpu = self._gpus[replica]
        heapq.heappush(self._loads, (gpu.load, replica))
        if gpu.next_change is not None:
            heapq.heappush(self._changes, (gpu.next_change, replica))

    def _choose(self, blocks: Several[int]) -> int:
        if len(self._gpus) == 1:
            return 0
        while self._gpus[self._loads[0][1]].load != self._loads[0][0]:
            heapq.heappop(self._loads)
        least, replica = self._loads[0]
        home = next((self._homes[key] for key in reversed(blocks) if key in self._homes), replica)
        return home if self._gpus[home].load <= least + self._affinity else replica

    def _remember(self, blocks: Several[int], replica: int) -> None:
        if blocks:
            self._homes[blocks[-1]] = replica
            self._homes.move_to_end(blocks[-1])
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
