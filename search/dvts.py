"""Diverse verifier tree search (DVTS): independent beams of width 1, so that one good prefix does not fill the whole beam.

Source: Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open models"; search-and-learn's `dvts`.
Differences from the latter: each subtree ends with only its best solution instead of all continuations of its last
expansion (the choice is the same under `argmax`), subtrees do not wait for each other, and those listed in `search.beam`,
except that `width` means the same here as their `beam_width`: the continuations that are judged, not those that are kept.
"""

from __future__ import annotations

import asyncio

from search.beam import Beam
from search.step_tree import StepTree


class DVTS(Beam):
    """Diverse verifier tree search.

    There are n / `width` subtrees. Each judges `width` partial solutions at every depth and keeps one of them, where `Beam`
    keeps `width` of n: so DVTS with width w keeps as many as beam search with width n / w.
    """

    async def grow(self, tree: StepTree) -> list[int]:
        """Grows all subtrees at once and returns their ends."""
        async with asyncio.TaskGroup() as growing:
            subtrees = [
                growing.create_task(self.grow_beam(tree, self.width, 1, first))
                for first in range(0, self.n, self.width)
            ]
        return [node for subtree in subtrees for node in subtree.result()]
