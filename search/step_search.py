"""Searches over steps: they grow a tree of partial solutions and judge each as it is sampled."""

from __future__ import annotations

from abc import ABC, abstractmethod

from search.base import Grader, Needs, Policy, Problem, ScoredStrategy, SearchResult, Verifier, field
from search.step_tree import StepTree
from tts.core.settings import PositiveInt, SettingError
from tts.core.traits import STEP_SEARCH


class StepSearch(ScoredStrategy, ABC):
    """A search over steps; subclasses define `grow`.

    Args:
        depth: Maximum number of steps of a solution.
    """

    depth: PositiveInt = field(default=40, kw_only=True)

    @property
    def needs(self) -> Needs:
        """A policy that continues partial solutions, and a verifier that judges them."""
        return STEP_SEARCH

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the token bound of `samples` continuations at every depth."""
        return policy.token_bound(self.samples, self.depth)

    @property
    def chosen_by(self) -> str | None:
        """The name of the note to select by, None for the score."""
        return None

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows the tree and selects a solution; if none that it returned is finished, from the other finished ones."""
        tree = StepTree(problem, policy, verifier, self.aggregator)
        return await tree.result(self.selection, grader, tree.ends_of(await self.grow(tree)), self.chosen_by)

    @abstractmethod
    async def grow(self, tree: StepTree) -> list[int]:
        """Grows a tree that holds only the root, and returns the candidate nodes."""


class WidthSearch(StepSearch):
    """A search over steps that samples n continuations at each depth, n / width for each node that it keeps.

    Args:
        n: Continuations judged at each depth.
        width: Number of nodes kept; n is a multiple of it.
    """

    n: PositiveInt
    width: PositiveInt

    def __post_init__(self) -> None:
        """Checks that every node gets the same number of continuations."""
        if self.n % self.width:
            near = sorted({max(1, self.n // self.width) * self.width, (self.n // self.width + 1) * self.width})
            remedy = f"such as {' or '.join(map(str, near))}"
            raise SettingError("n", f"n must be a multiple of width={self.width}, {remedy}", str(self.n))

    @property
    def each(self) -> int:
        """Number of continuations of each node."""
        return self.n // self.width
