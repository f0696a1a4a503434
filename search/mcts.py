"""Monte Carlo tree search over steps.

Source: UCT, Kocsis & Szepesvari 2006; PUCT, AlphaZero (Silver et al. 2018), its prior the verifier's scores of the
siblings; values mixed with rollouts, AlphaGo (Silver et al. 2016); virtual loss, Chaslot et al. 2008. A simulation
goes down, however deep the tree is, to a node that none ended in yet; a node's continuations are sampled when a
second one comes to it, which then goes on to the best of them. Different: results do not depend on the engines'
speed, since simulation i begins when all up to i - `parallel` are counted, in their order; and in the end the
solution that the search prefers is finished greedily, so that one simulation is greedy search.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.base import BaseStrategy
from search.checks import check_step_search
from search.ordered_tasks import OrderedTasks
from search.uct import Visits
from search.value_tree import ValueTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import STEP_SEARCH, Needs
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier

_FINALS = ("value", "visits")


class MCTS(BaseStrategy):
    """Monte Carlo tree search.

    A node is worth (1 - rollout) * its score + rollout * the score of a solution that goes on from it; what cannot become an
    answer (cut at a length limit, too deep) and what has no usable verdict is worth 0.

    Args:
        simulations: How many.
        width: Continuations of a node.
        depth: Most steps of a solution.
        rule: What a child is selected by: `uct` or `puct`, see `search.uct.RULES`.
        exploration: c in that rule, in the unit of the scores.
        rollout: Weight of the rollout in a node's worth: 0 for the verifier alone, 1 for rollouts alone.
        parallel: Simulations in flight.
        virtual_loss: As how many visits worth 0 a simulation in flight counts.
        final: What a finished solution is chosen by: the mean `value` of its simulations, or its `visits` (rollouts have
            none and stand behind).
        aggregator: How step scores make a score; None for the verifier's published default.
        selection: How one of the finished solutions is chosen by that, a key of `tts.core.selection.SELECTIONS`.
    """

    verifies = True

    def __init__(
        self,
        simulations: int,
        width: int = 4,
        depth: int = 40,
        rule: str = "puct",
        exploration: float = 1.25,
        rollout: float = 0.0,
        parallel: int = 4,
        virtual_loss: float = 1.0,
        final: str = "value",
        aggregator: str | None = None,
        selection: str = "argmax",
    ) -> None:
        for key, number in (("simulations", simulations), ("width", width), ("parallel", parallel)):
            if number < 1:
                raise UserError(f"search.{key}={number}: it must be 1 or more")
        if not 0 <= rollout <= 1:
            raise UserError(f"search.rollout={rollout}: it must be between 0 and 1")
        if final not in _FINALS:
            raise UserError(f"search.final={final}: choose one of {', '.join(_FINALS)}")
        check_step_search(depth, aggregator, selection)
        self._rule = (rule, exploration, virtual_loss)
        Visits(*self._rule)
        # Rollouts alone need no verdict on what is not finished.
        self._judges = rollout < 1
        self.needs = STEP_SEARCH if self._judges else Needs(policy=("steps",))
        self.samples, self._parallel, self._final, self._selection = simulations, parallel, final, selection
        self._tree = (aggregator, width, depth, rollout)

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of an expansion and a rollout for each simulation, and of finishing a solution."""
        _, width, depth, rollout = self._tree
        grown = policy.token_bound((self.samples + depth) * width, 1)
        rolled = policy.token_bound(self.samples if rollout else 0)
        return None if grown is None or rolled is None else grown + rolled

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Simulates, finishes the preferred solution and chooses."""
        tree = ValueTree(problem, policy, verifier, *self._tree)
        visits = Visits(*self._rule)

        async def simulate(number: int, node: int, grows: bool) -> tuple[dict[int, float] | None, int, float]:
            children = await tree.children(node) if grows else None
            end = max(children, key=children.__getitem__) if children else node
            return children, end, await tree.worth(end, number)

        def land(way: Sequence[int], outcome: tuple[dict[int, float] | None, int, float]) -> None:
            children, end, worth = outcome
            if children is not None:
                visits.grow(way[-1], children)
            visits.land(way, end, worth)

        async with OrderedTasks(self._parallel, land) as flights:
            for number in range(self.samples):
                # Where another simulation is at work its outcome is waited for, and the way chosen anew.
                while flights.full or (leaf := (way := visits.descend())[-1]) in (key[-1] for key in flights.keys):
                    await flights.land()
                visits.depart(way)
                grows = visits.count[leaf] > 0 and leaf not in visits.children and not tree.ends(leaf)
                flights.begin(way, simulate(number, leaf, grows))

        prefer = visits.count.__getitem__ if self._final == "visits" else visits.value
        while self._judges and not (tree.ends(leaf := visits.descend(prefer)[-1]) or leaf in visits.children):
            visits.grow(leaf, await tree.children(leaf))
        for node in visits.nodes:
            tree.note(node, visits=visits.count[node], value=visits.value(node))
        finished = [leaf for leaf in tree.leaves() if tree.solution(leaf).finished]
        return await tree.result(self._selection, grader, finished or None, self._final)
