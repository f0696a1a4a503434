"""Diverse verifier tree search (DVTS): independent beams of width 1, so that one good beginning does not take all places.

Source: Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open models"; search-and-learn's `dvts`. Different
from the latter: each subtree ends with its best solution alone and not with all continuations of its last expansion (its
choice is the same under `argmax`), a subtree goes on at its own pace, and what is said of `search.beam` holds here too.
"""

from __future__ import annotations

import asyncio

from search.base import BaseStrategy
from search.beam import Beam
from search.checks import check_width
from search.step_tree import StepTree
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier


class DVTS(BaseStrategy):
    """Diverse verifier tree search.

    Args:
        n: Partial solutions that are judged at every depth, of all subtrees together.
        width: How many of them each subtree has, and keeps one of; there are n / width subtrees.
        depth: Most steps of a solution.
        lookahead: As in `search.beam.Beam`.
        aggregator: How step scores make a partial solution's score; None for the verifier's published default.
        selection: How one of the subtrees' solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    needs = Beam.needs
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
        self.samples = n
        self._width = width
        self._depth_in_steps = depth * (1 + lookahead)
        self._subtree = Beam(width, 1, depth, lookahead, aggregator, selection)
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n continuations at every depth, each with its lookahead."""
        return policy.token_bound(self.samples, self._depth_in_steps)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows all subtrees at once and chooses among their ends."""
        tree = StepTree(problem, policy, verifier, self._aggregator)
        async with asyncio.TaskGroup() as growing:
            subtrees = [
                growing.create_task(self._subtree.grow(tree, first)) for first in range(0, self.samples, self._width)
            ]
        found = [node for subtree in subtrees for node in subtree.result()]
        return await tree.result(self._selection, grader, tree.ends_of(found))
