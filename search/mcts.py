"""Monte Carlo tree search over steps.

Source: UCT, Kocsis & Szepesvari 2006; PUCT, AlphaZero (Silver et al. 2018), with the verifier's scores of the siblings as
its prior; values mixed with rollouts, AlphaGo (Silver et al. 2016); virtual loss, Chaslot et al. 2008. A simulation
descends, however deep the tree is, to a node where none has ended yet; a node's continuations are sampled when a second
simulation reaches it, which then moves on to the best of them. Differences: results do not depend on the engines' speed,
since simulation i begins only when all up to i - `parallel` are counted, in order; at the end the preferred solution is
completed greedily, so that one simulation is greedy search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from search.base import Needs, Policy
from search.ordered_tasks import OrderedTasks
from search.step_search import StepSearch
from search.step_tree import StepTree
from search.uct import ACQUISITIONS, Visits
from tts.core.settings import NonNegativeFloat, OneOf, PositiveInt, Probability
from tts.core.traits import STEP_SEARCH

Outcome = tuple[dict[int, float] | None, int, float]
"""Of a simulation: the new children's values if it expanded a node, the node where it ended, and that node's worth."""


class MCTS(StepSearch):
    """Monte Carlo tree search.

    A node is worth (1 - rollout) * its score + rollout * the score of a solution that continues it; a node that cannot
    become an answer (cut at a length limit, too deep) or has no usable verdict is worth 0.

    Args:
        simulations: Number of simulations.
        width: Continuations of a node.
        rule: The rule that selects a child, a key of `search.uct.ACQUISITIONS`.
        exploration: c in that rule, in the unit of the scores.
        rollout: Weight of the rollout in a node's worth: 0 for the verifier alone, 1 for rollouts alone.
        parallel: Simulations in flight at a time.
        virtual_loss: A running simulation counts as this many visits of value 0.
        final: What the final solution is selected by: the mean `value` of its simulations, or its `visits` (rollouts have
            no visits and rank last).
    """

    simulations: PositiveInt
    width: PositiveInt = 4
    rule: Annotated[str, OneOf(ACQUISITIONS)] = "puct"
    exploration: NonNegativeFloat = 1.25
    rollout: Probability = 0.0
    parallel: PositiveInt = 4
    virtual_loss: NonNegativeFloat = 1.0
    final: Literal["value", "visits"] = "value"

    @property
    def needs(self) -> Needs:
        """Rollouts alone need no verdict on partial solutions."""
        return STEP_SEARCH if self.rollout < 1 else Needs(policy=("steps",))

    def knobs(self, dial: int) -> Mapping[str, object]:
        """Sets the number of simulations."""
        return {"simulations": dial}

    @property
    def samples(self) -> int:
        """The number of simulations."""
        return self.simulations

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the token bound of an expansion and a rollout per simulation, and of completing one solution."""
        grown = policy.token_bound((self.simulations + self.depth) * self.width, 1)
        rolled = policy.token_bound(self.simulations if self.rollout else 0)
        return None if grown is None or rolled is None else grown + rolled

    @property
    def chosen_by(self) -> str:
        """The note with the same name as the setting's value."""
        return self.final

    async def grow(self, tree: StepTree) -> list[int]:
        """Runs the simulations and completes the preferred solution."""
        visits = Visits(self.rule, self.exploration, self.virtual_loss)
        asked: Counter[str] = Counter()

        async def simulate(number: int, node: int, grows: bool) -> Outcome:
            children = await self._children(tree, node, asked) if grows else None
            end = max(children, key=children.__getitem__) if children else node
            return children, end, await self._worth(tree, end, number)

        def count(path: Sequence[int], outcome: Outcome) -> None:
            children, end, worth = outcome
            if children is not None:
                visits.grow(path[-1], children)
            visits.count_simulation(path, end, worth)

        async with OrderedTasks(self.parallel, count) as tasks:
            for number in range(self.simulations):
                # If another simulation is running at the same leaf, waits for an outcome and descends again.
                while tasks.full or (leaf := (path := visits.descend())[-1]) in (key[-1] for key in tasks.keys):
                    await tasks.count_oldest()
                visits.begin(path)
                grows = visits.count[leaf] > 0 and leaf not in visits.children and not self._ends(tree, leaf)
                tasks.begin(path, simulate(number, leaf, grows))

        prefer = visits.count.__getitem__ if self.final == "visits" else visits.value
        while self.rollout < 1:
            leaf = visits.descend(prefer)[-1]
            if self._ends(tree, leaf) or leaf in visits.children:
                break
            visits.grow(leaf, await self._children(tree, leaf, asked))
        for node in visits.nodes:
            tree.note(node, visits=visits.count[node], value=visits.value(node))
        leaves = tree.leaves()
        return [leaf for leaf in leaves if tree.solution(leaf).finished] or leaves

    def _ends(self, tree: StepTree, node: int) -> bool:
        """Whether nothing continues a node."""
        return not tree.is_open(node) or len(tree.path(node)) >= self.depth

    def _value(self, tree: StepTree, node: int) -> float:
        """Returns a node's worth by its score alone."""
        useless = self._ends(tree, node) and not tree.solution(node).finished
        return 0.0 if useless else tree.score(node) or 0.0

    async def _children(self, tree: StepTree, node: int, asked: Counter[str]) -> dict[int, float]:
        """Samples a node's continuations and returns them with their values.

        Args:
            tree: The tree.
            node: The node.
            asked: How many continuations of each text were sampled: nodes with the same text get different ones.
        """
        text = tree.solution(node).text
        first = asked[text]
        asked[text] += self.width

        async def judge(child: int) -> None:
            await self._judge(tree, child)

        return {child: self._value(tree, child) for child in await tree.expand({node: self.width}, first, judge)}

    async def _worth(self, tree: StepTree, node: int, index: int) -> float:
        """Returns a node's worth, including a rollout's if `rollout` is above 0.

        Args:
            tree: The tree.
            node: The node.
            index: Sample index of the rollout; nodes with the same text need different ones.
        """
        if not self.rollout or self._ends(tree, node):
            return self._value(tree, node)
        ends = await tree.complete(node, index)
        for end in ends:
            await self._judge(tree, end)
            tree.note(end, value=self._value(tree, end))
        rolled = sum(self._value(tree, end) for end in ends)
        return (1 - self.rollout) * self._value(tree, node) + self.rollout * rolled

    async def _judge(self, tree: StepTree, node: int) -> None:
        if self.rollout < 1 or tree.solution(node).finished:
            await tree.judge_step(node)
