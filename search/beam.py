"""Beam search over steps: keep the best partial solutions, expand each, judge, keep the best again.

Source: Snell et al. 2024 (arXiv 2408.03314), sec. 5.2, and its lookahead search; search-and-learn's `beam_search`.
Differences from the latter:

- There a finished solution leaves the beam, which fills its place with another partial solution, and is a candidate whatever
  its score. Here it keeps its place as long as its score is among the best, and is a candidate only if it does so to the
  end; if nothing in the final beam is finished, the choice is among the finished solutions that it passed over.
  `finished_leave` is their rule: more samples, more candidates, and choices with higher scores.
- `width` is the number of solutions kept; their `beam_width` is the number of continuations of each, n / `width` here.
- A solution cut at a length limit is not finished and is kept only if there is nothing else.
- Fewer solutions than the width are all kept; none is copied to fill the beam.
- Partial solutions with the same text get different continuations.

Lookahead takes greedy steps, as in both.
"""

from __future__ import annotations

import asyncio

from search.base import ROOT, Policy, field
from search.step_search import WidthSearch
from search.step_tree import Rank, StepTree
from tts.core.settings import NonNegativeInt


class Beam(WidthSearch):
    """Step-level beam search.

    At every depth n partial solutions are judged, n / `width` continuations of each of the `width` that are kept.

    Args:
        finished_leave: Whether finished solutions leave the beam and are all candidates, as in search-and-learn.
        lookahead: Number of greedy steps by which a partial solution is rolled out; it is ranked by the rollout's score.
    """

    finished_leave: bool = field(default=False, kw_only=True)
    lookahead: NonNegativeInt = field(default=0, kw_only=True)

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the token bound of n continuations at every depth, each with its lookahead."""
        return policy.token_bound(self.samples, self.depth * (1 + self.lookahead))

    async def grow(self, tree: StepTree) -> list[int]:
        """Grows one beam and returns its candidates."""
        return await self.grow_beam(tree, self.n, self.width)

    async def grow_beam(self, tree: StepTree, n: int, width: int, first: int = 0) -> list[int]:
        """Grows a beam in a tree that other beams may share, and returns its candidates.

        Judges every continuation as soon as it is sampled; only the choice at a depth waits for all of its judgements.

        Args:
            tree: The tree.
            n: Number of partial solutions judged at every depth.
            width: How many of them are kept.
            first: Index of the beam's first sample of every text; beams that share a tree must use different indices.
        """
        ends: dict[int, int] = {}

        async def look_ahead(node: int) -> None:
            async with asyncio.TaskGroup() as both:
                both.create_task(tree.judge_step(node))
                rolling = both.create_task(tree.roll_out(node, self.lookahead))
            ends[node] = rolling.result()
            if ends[node] != node:
                await tree.judge_step(ends[node])

        def rank(node: int) -> Rank:
            return tree.rank(node, ends.get(node))

        beam: list[int] = []
        left: list[int] = []
        widths = {ROOT: n}
        for _ in range(self.depth):
            grown = await tree.expand(widths, first, look_ahead if self.lookahead else None)
            if not grown:  # the budget is used up
                break
            if self.finished_leave:
                left += [node for node in grown if tree.solution(node).finished]
                grown = [node for node in grown if not tree.solution(node).finished]
            beam = sorted([*(node for node in beam if node not in widths), *grown], key=rank)[:width]
            widths = {node: n // width for node in beam if tree.is_open(node)}
            if not widths:
                break
        return left or beam
