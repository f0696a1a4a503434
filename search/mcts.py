"""Monte Carlo tree search over steps.

Source: UCT, Kocsis & Szepesvari 2006; PUCT, AlphaZero (Silver et al. 2018), its prior the verifier's scores of the
siblings; values mixed with rollouts, AlphaGo (Silver et al. 2016); virtual loss, Chaslot et al. 2008. A simulation
descends, however deep the tree is, to a node that none ended in yet; a node's continuations are sampled when a
second one comes to it, which then proceeds to the best of them. Different: results do not depend on the engines'
speed, since simulation i begins when all up to i - `parallel` are counted, in their order; and in the end the
solution that the search prefers is finished greedily, so that one simulation is greedy search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from search.base import Needs, Policy
from search.ordered_tasks import OrderedTasks
from search.step_search import StepSearch
from search.step_tree import StepTree
from search.uct import ACQUISITIONS, Visits
from tts.core.settings import NonNegativeFloat, OneOf, PositiveInt, Probability
from tts.core.traits import STEP_SEARCH

Outcome = tuple[dict[int, float] | None, int, float]
"""Of a simulation: the new children's values where it expanded a node, the node that it came to, and what that is worth."""


class MCTS(StepSearch):
    """Monte Carlo tree search.

    A node is worth (1 - rollout) * its score + rollout * the score of a solution that continues it; what cannot become an
    answer (cut at a length limit, too deep) and what has no usable verdict is worth 0.

    Args:
        simulations: How many.
        width: Continuations of a node.
        rule: What a child is selected by, a key of `search.uct.ACQUISITIONS`.
        exploration: c in that rule, in the unit of the scores.
        rollout: Weight of the rollout in a node's worth: 0 for the verifier alone, 1 for rollouts alone.
        parallel: Simulations in work at a time.
        virtual_loss: As how many visits worth 0 a simulation in work counts.
        final: What a finished solution is chosen by: the mean `value` of its simulations, or its `visits` (rollouts have
            none and stand behind).
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
        """Rollouts alone need no verdict on what is not finished."""
        return STEP_SEARCH if self.rollout < 1 else Needs(policy=("steps",))

    @property
    def samples(self) -> int:
        """The simulations."""
        return self.simulations

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of an expansion and a rollout for each simulation, and of finishing a solution."""
        grown = policy.token_bound((self.simulations + self.depth) * self.width, 1)
        rolled = policy.token_bound(self.simulations if self.rollout else 0)
        return None if grown is None or rolled is None else grown + rolled

    @property
    def chosen_by(self) -> str:
        """The note that is called what the setting is."""
        return self.final

    async def grow(self, tree: StepTree) -> list[int]:
        """Simulates and finishes the preferred solution."""
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
                # Where another simulation is at work its outcome is waited for, and the path chosen anew.
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
        """Returns what a node is worth by its score alone."""
        useless = self._ends(tree, node) and not tree.solution(node).finished
        return 0.0 if useless else tree.score(node) or 0.0

    async def _children(self, tree: StepTree, node: int, asked: Counter[str]) -> dict[int, float]:
        """Samples a node's continuations and returns them with their values.

        Args:
            tree: The tree.
            node: The node.
            asked: How many continuations of each text were asked for: nodes that read the same get different ones.
        """
        text = tree.solution(node).text
        first = asked[text]
        asked[text] += self.width

        async def judge(child: int) -> None:
            await self._judge(tree, child)

        return {child: self._value(tree, child) for child in await tree.expand({node: self.width}, first, judge)}

    async def _worth(self, tree: StepTree, node: int, index: int) -> float:
        """Returns what a node is worth, by a solution that continues it too if that is asked for.

        Args:
            tree: The tree.
            node: The node.
            index: Which sample of its text that solution is; nodes that read the same need different ones.
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
