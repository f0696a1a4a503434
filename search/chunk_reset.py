"""Chunk-reset: a step that the verifier rejects is written again from the last accepted step.

Source: StepWiser (Xiong et al. 2025, arXiv 2508.19229), sec. 5: a solution is judged as it is written; a rejected chunk is
thrown away and sampled again up to m times, after which the last one stays. Difference: of m rejected chunks the best stays.
"""

from __future__ import annotations

import asyncio
import math

from search.base import ROOT
from search.step_search import StepSearch
from search.step_tree import StepTree
from tts.core.events import NodePath
from tts.core.settings import PositiveInt, PositiveProbability


class ChunkReset(StepSearch):
    """Solutions written in parallel, each step of which is accepted before the next is written.

    Args:
        n: Number of solutions.
        tries: m, the maximum number of samples of a step.
        threshold: A step whose score reaches it is accepted.
    """

    n: PositiveInt
    tries: PositiveInt = 5
    threshold: PositiveProbability = 0.5

    @property
    def samples(self) -> int:
        """The samples of a step, in every solution."""
        return self.n * self.tries

    async def grow(self, tree: StepTree) -> list[int]:
        """Writes all solutions at once and returns their ends."""

        async def next_step(node: int, number: int) -> int | None:
            tried: list[int] = []
            for each in range(self.tries):
                # Solutions that reach the same text continue it differently.
                grown = await tree.expand({node: 1}, number * self.tries + each)
                tried += grown
                if not grown:  # the budget is used up
                    break
                score = tree.step_score(grown[0])
                if score is not None and score >= self.threshold:
                    return grown[0]
            return min(tried, key=rejected, default=None)

        def rejected(node: int) -> tuple[bool, float, NodePath]:
            """Sorts by the score of the step alone, that by which it was rejected; cut ones last."""
            score = tree.step_score(node)
            return tree.solution(node).finish_reason == "length", math.inf if score is None else -score, tree.path(node)

        async def write(number: int) -> int:
            node = ROOT
            for _ in range(self.depth):
                step = await next_step(node, number)
                if step is None:  # the budget is used up
                    break
                node = step
                if not tree.is_open(node):
                    break
            return node

        async with asyncio.TaskGroup() as writing:
            written = [writing.create_task(write(number)) for number in range(self.n)]
        return [task.result() for task in written if task.result() != ROOT]
