"""Beam search over steps: keep the best partial solutions, expand each, judge, keep the best again.

Source: Snell et al. 2024 (arXiv 2408.03314), sec. 5.2; search-and-learn's `beam_search`. Different from the latter: a
solution that was cut at a token limit is not finished, fewer solutions than the width are all kept, and a finished solution
keeps its place in the beam instead of being sampled again.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing

from policies.base import Policy
from tts.aggregate import check_aggregator
from tts.errors import UserError
from tts.selection import check_selection
from tts.tasks.grading import Grader
from tts.tree import ROOT, SearchTree
from tts.types import Problem, SearchResult
from verifiers.base import Verifier


class Beam:
    """Step-level beam search.

    Args:
        n: Partial solutions that are judged at every depth.
        width: How many of them are kept; each of them gets n / width continuations.
        depth: Most steps of a solution.
        aggregator: How step scores make a partial solution's score; None for the verifier's published default.
        selection: How one of the finished solutions is chosen in the end, a key of `tts.selection.SELECTIONS`.
    """

    verifies = True

    def __init__(
        self, n: int, width: int, depth: int = 40, aggregator: str | None = None, selection: str = "argmax"
    ) -> None:
        if n < 1 or width < 1 or n % width:
            raise UserError(f"search.n={n}, search.width={width}: n must be a multiple of the width, both 1 or more")
        if depth < 1:
            raise UserError(f"search.depth={depth}: at least one step is needed")
        if aggregator is not None:
            check_aggregator(aggregator, "search.aggregator")
        check_selection(selection, "search.selection")
        self.samples = n
        self._width = width
        self._depth = depth
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n continuations at every depth."""
        return policy.token_bound(self.samples, self._depth)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every continuation the moment it lands; only the choice of a depth waits for all of its judgements."""
        tree = SearchTree(problem, self._aggregator)

        async def judge(node: int, parent: int) -> None:
            tree.judge(node, await verifier.verify(problem, tree.solution(node), tree.verdict(parent)))

        async def expand(parent: int, n: int) -> list[int]:
            nodes = []
            async with (
                asyncio.TaskGroup() as judging,
                aclosing(policy.steps(problem, tree.solution(parent), n)) as landing,
            ):
                async for solution in landing:
                    nodes.append(tree.add(parent, solution))
                    judging.create_task(judge(nodes[-1], parent))
            return nodes

        def rank(node: int) -> tuple[float, tuple[tuple[str, int], ...]]:
            score = tree.score(node)
            return math.inf if score is None else -score, tree.path(node)

        beam: list[int] = []
        open_, each = [ROOT], self.samples
        for _ in range(self._depth):
            async with asyncio.TaskGroup() as expanding:
                tasks = [expanding.create_task(expand(node, each)) for node in open_]
            grown = [node for task in tasks for node in task.result()]
            if not grown:  # the budget is used up
                break
            beam = sorted([*(node for node in beam if node not in open_), *grown], key=rank)[: self._width]
            open_ = [node for node in beam if tree.solution(node).finish_reason == "step"]
            each = self.samples // self._width
            if not open_:
                break
        return await tree.result(self._selection, grader, beam)
