"""Searches over steps: they grow a tree of partial solutions that are judged as they are sampled."""

from __future__ import annotations

from abc import ABC, abstractmethod

from search.base import Grader, Needs, Policy, Problem, ScoredStrategy, SearchResult, Verifier, field
from search.step_tree import StepTree
from tts.core.settings import PositiveInt, SettingError
from tts.core.traits import STEP_SEARCH


class StepSearch(ScoredStrategy, ABC):
    """A search over steps; subclasses define `grow`.

    Args:
        depth: Most steps of a solution.
    """

    depth: PositiveInt = field(default=40, kw_only=True)

    @property
    def needs(self) -> Needs:
        """A policy that continues beginnings of solutions, and a verifier that judges them."""
        return STEP_SEARCH

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of as many continuations at every depth as it samples solutions."""
        return policy.token_bound(self.samples, self.depth)

    @property
    def chosen_by(self) -> str | None:
        """The note on nodes that one is chosen by, None for the score."""
        return None

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows the tree and chooses; where nothing that it found is finished, among what else is."""
        tree = StepTree(problem, policy, verifier, self.aggregator)
        return await tree.result(self.selection, grader, tree.ends_of(await self.grow(tree)), self.chosen_by)

    @abstractmethod
    async def grow(self, tree: StepTree) -> list[int]:
        """Grows a tree that holds the problem alone, and returns the nodes that one is to be chosen of."""


class WidthSearch(StepSearch):
    """A search over steps that samples n continuations at a depth, n / width of each node that it keeps.

    Args:
        n: Continuations that are judged at a depth.
        width: How many nodes they continue; n is a multiple of it.
    """

    n: PositiveInt
    width: PositiveInt

    def __post_init__(self) -> None:
        """Checks that every node gets as many continuations."""
        if self.n % self.width:
            near = sorted({max(1, self.n // self.width) * self.width, (self.n // self.width + 1) * self.width})
            remedy = f"such as {' or '.join(map(str, near))}"
            raise SettingError("n", f"n must be a multiple of width={self.width}, {remedy}", str(self.n))

    @property
    def each(self) -> int:
        """How many continuations a node gets."""
        return self.n // self.width
