"""What a program gets back from a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tts.budget import Usage
from tts.core import Candidate, Problem, SearchResult
from tts.core.events import Event
from tts.core.tree import Tree

_SHOWN = 8  # candidates


@dataclass(frozen=True)
class Result:
    """The outcome of a search for one problem.

    Attributes:
        problem: The problem.
        found: What the strategy returned.
        usage: What it cost, by role (`policy`, `verifier`), wherever samples came from.
        limits_hit: The limits of the budget that it ran into.
        wall_s: Seconds that it took.
    """

    problem: Problem
    found: SearchResult
    usage: Mapping[str, Usage]
    limits_hit: tuple[str, ...]
    wall_s: float

    @property
    def answer(self) -> str | None:
        """The chosen candidate's answer, None where there is no choice or it has none."""
        return self.found.answer

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that the strategy chose, None where it chose none."""
        return None if self.found.chosen is None else self.found.candidates[self.found.chosen]

    @property
    def candidates(self) -> Sequence[Candidate]:
        """All candidates, each with solution (text, steps), answer, score and verdict (step scores, votes, critiques)."""
        return self.found.candidates

    @property
    def tree(self) -> Tree:
        """The search tree; `tree.to_networkx()` makes a graph of it."""
        return self.found.tree

    def __str__(self) -> str:
        """Shows the answer, the candidates by score, and the cost."""
        lines = [f"answer: {self.answer if self.answer is not None else '(none)'}", *self._rows(), self._cost()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Shows the same in Jupyter."""
        head = "".join(f"<th>{name}</th>" for name in ("", "answer", "score", "step scores"))
        rows = "".join(
            f"<tr><td>{'&#9654;' if one is self.chosen else ''}</td><td>{escape(one.answer or '(none)')}</td>"
            f"<td>{_number(one.score)}</td><td>{escape(_scores(one))}</td></tr>"
            for one in self._best()
        )
        answer = escape(self.answer if self.answer is not None else "(none)")
        return (
            f"<div><b>answer: {answer}</b><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<small>{escape(self._more())}{escape(self._cost())}</small></div>"
        )

    def _best(self) -> list[Candidate]:
        return sorted(
            self.candidates, key=lambda one: (one is not self.chosen, one.score is None, -(one.score or 0.0))
        )[:_SHOWN]

    def _rows(self) -> list[str]:
        rows = [
            f"{'->' if one is self.chosen else '  '} {one.answer or '(none)':<16.16} {_number(one.score):>6}  {_scores(one)}"
            for one in self._best()
        ]
        return [*rows, *filter(None, [self._more()])]

    def _more(self) -> str:
        left = len(self.candidates) - _SHOWN
        return f"   ... and {left} more candidates " if left > 0 else ""

    def _cost(self) -> str:
        parts = [
            f"{role} {usage.completion_tokens:,} tokens in {usage.samples:,} samples"
            for role, usage in self.usage.items()
            if usage.samples
        ]
        limits = f", cut short by {', '.join(self.limits_hit)}" if self.limits_hit else ""
        return f"cost: {'; '.join(parts) or 'nothing was generated'}; {self.wall_s:.1f} s{limits}"


@dataclass(frozen=True)
class Finished(Event):
    """The last event of a stream: the search has its result.

    Attributes:
        result: The result.
    """

    result: Result


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _scores(candidate: Candidate) -> str:
    verdict = candidate.verdict
    return "" if verdict is None else " ".join(f"{score:.2f}" if score is not None else "-" for score in verdict.scores)
