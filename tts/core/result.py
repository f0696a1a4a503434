"""The result of a search strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts.core.solution import Solution
from tts.core.verdict import Verdict

if TYPE_CHECKING:
    from tts.core.tree import Tree


@dataclass(frozen=True)
class Candidate:
    """A solution that a search strategy considered.

    Attributes:
        solution: The solution.
        answer: Its extracted final answer, None if it has none.
        verdict: The verifier's verdict, None if the strategy requested none.
        score: The verdict as one number, None if there is no usable one.
    """

    solution: Solution
    answer: str | None = None
    verdict: Verdict | None = None
    score: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """The result of a search strategy for one problem.

    Attributes:
        chosen: Index into `candidates` of the strategy's choice, None if it has none.
        candidates: All candidates, in an order that does not depend on timing.
        groups: For each candidate the number of its group of equivalent answers, None if it has no answer.
        tree: The search tree.
    """

    chosen: int | None
    candidates: tuple[Candidate, ...]
    groups: tuple[int | None, ...]
    tree: Tree

    @property
    def answer(self) -> str | None:
        """The chosen candidate's answer."""
        return None if self.chosen is None else self.candidates[self.chosen].answer
