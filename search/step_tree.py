"""The tree of a search over steps: it grows one step at a time, and each node is judged as soon as it is sampled."""

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
"""A coroutine function that is called with each node as soon as it is sampled."""

Rank = tuple[bool, float, NodePath]


class StepTree(SearchTree):
    """A search tree together with the policy and verifier that grow it.

    Args:
        problem: The problem.
        policy: Proposes steps.
        verifier: Judges them.
        aggregator: How step scores are combined into a node's score; None for the verifier's published default.
    """

    def __init__(self, problem: Problem, policy: Policy, verifier: Verifier, aggregator: str | None = None) -> None:
        super().__init__(problem, aggregator)
        self._policy, self._verifier = policy, verifier

    async def expand(
        self,
        widths: Mapping[int, int],
        first: int = 0,
        work: Work | None = None,
        by: Policy | None = None,
        kind: str = "",
    ) -> list[int]:
        """Adds continuations by one step and returns them, ordered by node and by sample index.

        Nodes with the same text get different samples, as if drawn independently: each takes the sample indices that follow
        those of the node before it.

        Args:
            widths: How many continuations each node gets, in an order that does not depend on timing.
            first: Index of the first sample of every text.
            work: Called with each continuation as soon as it is sampled; None to judge it.
            by: Who writes them; None for the policy.
            kind: See `SearchTree.add`.
        """
        asked: Counter[str] = Counter()
        async with asyncio.TaskGroup() as expanding:
            tasks = []
            for parent, width in widths.items():
                text = self.solution(parent).text
                grow = self._grow(parent, width, first + asked[text], work or self.judge_step, by or self._policy, kind)
                tasks.append(expanding.create_task(grow))
                asked[text] += width
        return [node for task in tasks for node in task.result()]

    async def _grow(self, parent: int, n: int, first: int, work: Work, by: Policy, kind: str) -> list[int]:
        nodes = []
        async with (
            asyncio.TaskGroup() as working,
            aclosing(by.steps(self.problem, self.solution(parent), n, first)) as solutions,
        ):
            async for solution in solutions:
                nodes.append(self.add(parent, solution, kind))
                working.create_task(work(nodes[-1]))
        return sorted(nodes, key=self.path)

    async def judge_step(self, node: int) -> None:
        """Judges the steps that a node adds to its nearest judged ancestor."""
        prior = next((verdict for above in self.ancestors(node) if (verdict := self.verdict(above)) is not None), None)
        self.judge(node, await self._verifier.verify(self.problem, self.solution(node), prior))

    async def roll_out(self, node: int, steps: int) -> int:
        """Continues a node by up to `steps` greedy steps and returns the last node; judges nothing."""
        for _ in range(steps):
            if not self.is_open(node):
                break
            async with aclosing(self._policy.steps(self.problem, self.solution(node), 1, GREEDY)) as solutions:
                # There are none if the budget is used up.
                grown = [self.add(node, solution, "rollout") async for solution in solutions]
            if not grown:
                break
            (node,) = grown
        return node

    async def complete(self, node: int, index: int) -> list[int]:
        """Continues a node to its end with sample `index` and returns the new node; none if the budget is used up."""
        async with aclosing(self._policy.solutions(self.problem, self.solution(node), 1, index)) as solutions:
            return [self.add(node, solution, "rollout") async for solution in solutions]

    def lineage(self, node: int) -> list[int]:
        """Returns the nodes on the path to a node, without the root."""
        return [above for above in (*reversed(list(self.ancestors(node))), node) if above != ROOT]

    def ends_of(self, found: list[int]) -> list[int]:
        """Returns what a search found; if none of it is finished, the finished solutions that it passed over.

        This happens when the budget is used up, or the depth reached, while the best prefixes are unfinished.
        """
        finished = [leaf for leaf in self.leaves() if self.solution(leaf).finished]
        return found if any(self.solution(node).finished for node in found) else finished or found

    def step_score(self, node: int) -> float | None:
        """Returns the score of a node's last judged step, None if it has none."""
        verdict = self.verdict(node)
        return verdict.scores[-1] if verdict is not None and verdict.scores else None

    def is_open(self, node: int) -> bool:
        """Whether a node can be continued: it is neither finished nor cut at a length limit."""
        return self.solution(node).finish_reason == "step"

    def rank(self, node: int, judged: int | None = None) -> Rank:
        """Returns a key that sorts the best nodes to the front.

        Nodes cut at a length limit come after all that can still become an answer, and nodes without a score after all that
        have one; ties go to the node that is first in the tree.

        Args:
            node: The node.
            judged: The node whose score is used; None for the node itself.
        """
        cut = self.solution(node).finish_reason == "length"
        score = self.score(node if judged is None else judged)
        return cut, math.inf if score is None else -score, self.path(node)
