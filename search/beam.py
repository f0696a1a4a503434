"""Beam search over steps: keep the best partial solutions, expand each, judge, keep the best again.

Source: Snell et al. 2024 (arXiv 2408.03314), sec. 5.2, and its lookahead search; search-and-learn's `beam_search`. Different
from the latter: a solution that was cut at a length limit is not finished and is kept only where there is nothing else,
fewer solutions than the width are all kept, a finished solution keeps its place in the beam instead of being sampled
again, partial solutions that say the same get different continuations, and where nothing in the beam is finished in the
end, the finished solutions that it passed over are chosen from. Lookahead takes greedy steps, as in both.
"""

from __future__ import annotations

import asyncio

from search.base import BaseStrategy
from search.checks import check_step_search, check_width
from search.step_tree import Rank, StepTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import STEP_SEARCH
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier


class Beam(BaseStrategy):
    """Step-level beam search.

    Args:
        n: Partial solutions that are judged at every depth.
        width: How many of them are kept; each of them gets n / width continuations.
        depth: Most steps of a solution.
        lookahead: How many greedy steps a partial solution is rolled out by before it is ranked, with the score of where
            that led.
        aggregator: How step scores make a partial solution's score; None for the verifier's published default.
        selection: How one of the finished solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    needs = STEP_SEARCH
    verifies = True

    def __init__(
        self,
        n: int,
        width: int,
        depth: int = 40,
        lookahead: int = 0,
        aggregator: str | None = None,
        selection: str = "argmax",
    ) -> None:
        check_width(n, width)
        check_step_search(depth, aggregator, selection)
        if lookahead < 0:
            raise UserError(f"search.lookahead={lookahead}: a number of steps, 0 for none")
        self.samples = n
        self._width = width
        self._depth = depth
        self._lookahead = lookahead
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n continuations at every depth, each with its lookahead."""
        return policy.token_bound(self.samples, self._depth * (1 + self._lookahead))

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows the beam to its end and chooses."""
        tree = StepTree(problem, policy, verifier, self._aggregator)
        return await tree.result(self._selection, grader, tree.ends_of(await self.grow(tree)))

    async def grow(self, tree: StepTree, first: int = 0) -> list[int]:
        """Grows one beam in a tree that other beams may share, and returns its end.

        Judges every continuation the moment it lands; only the choice of a depth waits for all of its judgements.

        Args:
            tree: The tree.
            first: Index of the beam's first sample of every text; beams that share a tree take different ones.
        """
        ends: dict[int, int] = {}

        async def look_ahead(node: int) -> None:
            async with asyncio.TaskGroup() as both:
                both.create_task(tree.judge_step(node))
                rolling = both.create_task(tree.roll_out(node, self._lookahead))
            ends[node] = rolling.result()
            if ends[node] != node:
                await tree.judge_step(ends[node])

        def rank(node: int) -> Rank:
            return tree.rank(node, ends.get(node))

        beam: list[int] = []
        widths = {ROOT: self.samples}
        for _ in range(self._depth):
            grown = await tree.expand(widths, first, look_ahead if self._lookahead else None)
            if not grown:  # the budget is used up
                break
            beam = sorted([*(node for node in beam if node not in widths), *grown], key=rank)[: self._width]
            widths = {node: self.samples // self._width for node in beam if tree.is_open(node)}
            if not widths:
                break
        return beam
