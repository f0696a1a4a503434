"""The result of a search, as a program gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tts.budget import Usage
from tts.core import Candidate, Problem, SearchResult
from tts.core.events import Event
from tts.core.plain import plain
from tts.core.tree import Tree

_SHOWN = 8  # answers
_ANSWER = 24  # columns of an answer beside others
_WIDTH = 80  # columns of a terminal


@dataclass(frozen=True, repr=False)
class Result:
    """The outcome of a search for one problem.

    Attributes:
        problem: The problem.
        found: The return value of the strategy.
        usage: Cost by role (`policy`, `verifier`); samples from the bank count as if they were generated.
        limits_hit: The limits of the budget that were reached.
        wall_s: Seconds.
    """

    problem: Problem
    found: SearchResult
    usage: Mapping[str, Usage]
    limits_hit: tuple[str, ...]
    wall_s: float

    @property
    def answer(self) -> str | None:
        """The answer of the chosen candidate, None if it has none or none was chosen."""
        return self.found.answer

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that the strategy chose, None if it chose none."""
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
        """Shows the answer, the proposed answers with the best candidate of each, and the cost, in 80 columns."""
        return plain("\n".join([_cut(f"answer: {_line(self.answer)}", _WIDTH), *self._rows(), *self._cost()]))

    def __repr__(self) -> str:
        """Shows the same, so that an interactive session prints it well."""
        return str(self)

    def _repr_html_(self) -> str:
        """Shows the same in Jupyter."""
        head = "".join(f"<th>{name}</th>" for name in ("", "answer", "candidates", "score", "step scores"))
        rows = "".join(
            f"<tr><td>{'&#9654;' if group.best is self.chosen else ''}</td><td>{escape(_line(group.best.answer))}</td>"
            f"<td>{group.size}</td><td>{_number(group.best.score)}</td><td>{escape(_scores(group.best))}</td></tr>"
            for group in self._groups()[:_SHOWN]
        )
        below = "<br>".join(escape(line.strip()) for line in (*self._more(), *self._cost()))
        return (
            f"<div><b>answer: {escape(_line(self.answer))}</b>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><small>{below}</small></div>"
        )

    def _groups(self) -> list[_Group]:
        """Returns the candidates by answer: the chosen one's first, then by the best score, then by number."""
        members: dict[int | None, list[Candidate]] = {}
        for candidate, group in zip(self.candidates, self.found.groups, strict=True):
            members.setdefault(group, []).append(candidate)
        groups = [_Group(min(alike, key=self._rank), len(alike)) for alike in members.values()]
        return sorted(groups, key=lambda group: (*self._rank(group.best), -group.size))

    def _rank(self, candidate: Candidate) -> tuple[bool, bool, float]:
        return candidate is not self.chosen, candidate.score is None, -(candidate.score or 0.0)

    def _rows(self) -> list[str]:
        groups = self._groups()[:_SHOWN]
        answers = [_cut(_line(group.best.answer), _ANSWER) for group in groups]
        width = max(map(len, answers), default=0)
        rows = [
            f"{'->' if group.best is self.chosen else '  '} {answer:<{width}}  {f'x{group.size}':>4}"
            f"  {_number(group.best.score):>5}  {_scores(group.best)}"
            for group, answer in zip(groups, answers, strict=True)
        ]
        return [*(_cut(row.rstrip(), _WIDTH) for row in rows), *self._more()]

    def _more(self) -> list[str]:
        left = len(self._groups()) - _SHOWN
        return [f"   ... and {left:,} more answers"] if left > 0 else []

    def _cost(self) -> list[str]:
        parts = [
            f"{role} {usage.completion_tokens:,} tokens in {usage.samples:,} samples"
            for role, usage in self.usage.items()
            if usage.samples
        ]
        limits = [f"cut short by {', '.join(self.limits_hit)}"] if self.limits_hit else []
        return [f"cost: {'; '.join(parts) or 'nothing was generated'}; {self.wall_s:.1f} s", *limits]


@dataclass(frozen=True)
class _Group:
    """Candidates with equivalent answers.

    Attributes:
        best: The chosen candidate, else the one with the best score.
        size: Number of candidates.
    """

    best: Candidate
    size: int


@dataclass(frozen=True)
class Finished(Event):
    """The last event of a stream: the search has its result.

    Attributes:
        result: The result.
    """

    result: Result


def _line(answer: str | None) -> str:
    """Returns an answer as one line."""
    return "(none)" if answer is None else " ".join(answer.split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _scores(candidate: Candidate) -> str:
    scores = () if candidate.verdict is None else candidate.verdict.scores
    return " ".join("-" if score is None else f"{score:.2f}" for score in scores)
