"""What tree searches share that go by what a partial solution is worth: by the verifier, by rollouts, or by both."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing

from search.step_tree import StepTree
from tts.core.policy import Policy
from tts.core.values import Problem
from tts.core.verifier import Verifier


class ValueTree(StepTree):
    """A tree whose nodes are expanded one by one and have a worth.

    What cannot become an answer (cut at a length limit, too deep) and what has no usable verdict is worth 0.

    Args:
        problem: The problem.
        policy: Proposes steps.
        verifier: Judges them.
        aggregator: How step scores make a node's score; None for the verifier's published default.
        width: Continuations of a node.
        depth: Most steps of a solution.
        rollout: Weight of the rollout in a node's worth; with 1 nothing is judged but finished solutions.
    """

    def __init__(
        self,
        problem: Problem,
        policy: Policy,
        verifier: Verifier,
        aggregator: str | None,
        width: int,
        depth: int,
        rollout: float,
    ) -> None:
        super().__init__(problem, policy, verifier, aggregator)
        self._width, self._depth, self._rollout = width, depth, rollout
        self._asked: Counter[str] = Counter()

    def ends(self, node: int) -> bool:
        """Whether nothing goes on from a node."""
        return not self.is_open(node) or len(self.path(node)) >= self._depth

    def value(self, node: int) -> float:
        """Returns what a node is worth by its score alone."""
        useless = self.ends(node) and not self.solution(node).finished
        return 0.0 if useless else self.score(node) or 0.0

    async def children(self, node: int) -> dict[int, float]:
        """Samples a node's continuations and returns them with their values; nodes that read the same get different ones."""
        text = self.solution(node).text
        first = self._asked[text]
        self._asked[text] += self._width
        children = await self.expand({node: self._width}, first, self._judge)
        return {child: self.value(child) for child in children}

    async def worth(self, node: int, number: int) -> float:
        """Returns what a node is worth, by a solution that goes on from it too if that is asked for.

        Args:
            node: The node.
            number: Which sample of its text that solution is; nodes that read the same need different ones.
        """
        if not self._rollout or self.ends(node):
            return self.value(node)
        async with aclosing(self._policy.solutions(self._problem, self.solution(node), 1, number)) as landing:
            ways = [self.add(node, solution, "rollout") async for solution in landing]
        for way in ways:
            await self._judge(way)
            self.note(way, value=self.value(way))
        return (1 - self._rollout) * self.value(node) + self._rollout * sum(map(self.value, ways))

    async def _judge(self, node: int) -> None:
        if self._rollout < 1 or self.solution(node).finished:
            await self.judge_step(node)
