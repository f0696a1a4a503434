"""Reward-guided speculative decoding: a small policy drafts each step, the large one writes those that are rejected.

Source: RSD (Liao et al. 2025, arXiv 2501.19324), Algorithm 1; BaohaoLiao/RSD at 933d8e5: a draft's step whose reward reaches
0.7 is kept, another is written by the target model, whose score decides nothing. A step of the target model is judged only
as part of what follows it: with the next draft, or at the end, so that several solutions can be compared. The models
exchange text, so their tokenizers may differ.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from search.base import ROOT, Policy
from search.step_search import StepSearch
from search.step_tree import StepTree
from tts.core.settings import Must, PositiveInt, PositiveProbability
from tts.runtime.guards import LimitedPolicy

_WRITES_STEPS = Must(
    lambda draft: "steps" not in draft.traits.lacks,
    "it cannot continue a partial solution; choose another draft policy",
)


class Speculative(StepSearch):
    """Solutions written in parallel, step by step, by two policies.

    Args:
        n: Number of solutions.
        draft: The small policy; its cost is charged to the role `draft`.
        threshold: A drafted step whose score reaches it is kept.
    """

    n: PositiveInt
    draft: Annotated[Policy, _WRITES_STEPS]
    threshold: PositiveProbability = 0.7

    def __post_init__(self) -> None:
        """Makes the draft policy end with the budget, like the other."""
        self._draft = LimitedPolicy(self.draft)

    async def grow(self, tree: StepTree) -> list[int]:
        """Writes all solutions at once and returns their ends."""

        async def unjudged(node: int) -> None:
            """Leaves a step of the large policy without a verdict of its own."""

        async def next_step(node: int, number: int) -> list[int]:
            drafted = await tree.expand({node: 1}, number, by=self._draft, kind="draft")
            score = tree.step_score(drafted[0]) if drafted else None
            if score is not None and score >= self.threshold:
                return drafted
            # If the budget is used up, there is only the draft.
            return await tree.expand({node: 1}, number, unjudged) or drafted

        async def write(number: int) -> int:
            node = ROOT
            for _ in range(self.depth):
                grown = await next_step(node, number)
                if not grown:  # the budget is used up
                    break
                (node,) = grown
                if not tree.is_open(node):
                    break
            if node != ROOT and tree.verdict(node) is None:
                await tree.judge_step(node)
            return node

        async with asyncio.TaskGroup() as writing:
            written = [writing.create_task(write(number)) for number in range(self.n)]
        return [task.result() for task in written if task.result() != ROOT]
