"""The tree of a search over steps: its nodes grow by one step at a time, each judged as soon as it is sampled."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing

from search.search_tree import SearchTree
from tts.core import Problem
from tts.core.events import NodePath
from tts.core.policy import GREEDY, Policy
from tts.core.tree import ROOT
from tts.core.verifier import Verifier

Work = Callable[[int], Coroutine[object, None, object]]
"""What is done with a node as soon as it is sampled."""

Rank = tuple[bool, float, NodePath]


class StepTree(SearchTree):
    """A search tree with the two who make it grow.

    Args:
        problem: The problem.
        policy: Proposes steps.
        verifier: Judges them.
        aggregator: How step scores make a node's score; None for the verifier's published default.
    """

    def __init__(self, problem: Problem, policy: Policy, verifier: Verifier, aggregator: str | None = None) -> None:
        super().__init__(problem, aggregator)
        self._policy, self._verifier = policy, verifier

    async def expand(self, widths: Mapping[int, int], first: int = 0, work: Work | None = None) -> list[int]:
        """Adds continuations by one step and returns them, those of nodes and of samples in their order.

        Nodes with the same text get different samples, as if they had been drawn independently: each continues the
        numbers of the one before it.

        Args:
            widths: How many continuations each node gets, in an order that does not depend on timing.
            first: Index of the first sample of every text.
            work: What is done with each continuation as soon as it is sampled; None: it is judged.
        """
        asked: Counter[str] = Counter()
        async with asyncio.TaskGroup() as expanding:
            tasks = []
            for parent, width in widths.items():
                text = self.solution(parent).text
                grow = self._grow(parent, width, first + asked[text], work or self.judge_step)
                tasks.append(expanding.create_task(grow))
                asked[text] += width
        return [node for task in tasks for node in task.result()]

    async def _grow(self, parent: int, n: int, first: int, work: Work) -> list[int]:
        nodes = []
        async with (
            asyncio.TaskGroup() as working,
            aclosing(self._policy.steps(self.problem, self.solution(parent), n, first)) as solutions,
        ):
            async for solution in solutions:
                nodes.append(self.add(parent, solution))
                working.create_task(work(nodes[-1]))
        return sorted(nodes, key=self.path)

    async def judge_step(self, node: int) -> None:
        """Judges the steps by which a node is longer than the nearest judged node above it."""
        prior = next((verdict for above in self.ancestors(node) if (verdict := self.verdict(above)) is not None), None)
        self.judge(node, await self._verifier.verify(self.problem, self.solution(node), prior))

    async def roll_out(self, node: int, steps: int) -> int:
        """Continues a node by so many greedy steps, or to its end, and returns where that led; judges nothing."""
        for _ in range(steps):
            if not self.is_open(node):
                break
            async with aclosing(self._policy.steps(self.problem, self.solution(node), 1, GREEDY)) as solutions:
                # There are none where the budget is used up.
                grown = [self.add(node, solution, "rollout") async for solution in solutions]
            if not grown:
                break
            (node,) = grown
        return node

    async def complete(self, node: int, index: int) -> list[int]:
        """Continues a node to its end by sample `index` and returns the new node; none where the budget is used up."""
        async with aclosing(self._policy.solutions(self.problem, self.solution(node), 1, index)) as solutions:
            return [self.add(node, solution, "rollout") async for solution in solutions]

    def lineage(self, node: int) -> list[int]:
        """Returns the nodes from below the root to a node."""
        return [above for above in (*reversed(list(self.ancestors(node))), node) if above != ROOT]

    def ends_of(self, found: list[int]) -> list[int]:
        """Returns what a search found; where nothing of it is finished, the finished solutions that it had passed over.

        As when the budget is used up, or the depth reached, while the best beginnings are not finished.
        """
        finished = [leaf for leaf in self.leaves() if self.solution(leaf).finished]
        return found if any(self.solution(node).finished for node in found) else finished or found

    def is_open(self, node: int) -> bool:
        """Whether a node can be continued: it is neither finished nor cut at a length limit."""
        return self.solution(node).finish_reason == "step"

    def rank(self, node: int, judged: int | None = None) -> Rank:
        """Returns a key that sorts the best nodes to the front.

        What was cut at a length limit comes behind all that can still become an answer, what has no score behind all that
        have one; of equals the one first in the tree is better.

        Args:
            node: The node.
            judged: The node whose score counts as its own; None for itself.
        """
        cut = self.solution(node).finish_reason == "length"
        score = self.score(node if judged is None else judged)
        return cut, math.inf if score is None else -score, self.path(node)
