"""The growing search tree: strategies record their work in it, and it emits events to listeners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field

from tts.budget import Usage, current
from tts.core import Candidate, FinishReason, Problem, SearchResult, Solution, Verdict
from tts.core.aggregate import aggregate
from tts.core.events import Chosen, Expanded, Judged, NodePath, Sampled, Spent, emit, heard
from tts.core.grader import Grader
from tts.core.selection import SELECTIONS
from tts.core.tree import REWRITES, ROOT, Node, Status, Tree

_STATUSES: Mapping[FinishReason, Status] = {"stop": "finished", "length": "cut", "step": "open"}


@dataclass
class _Growing:
    """A node of the growing tree; the attributes are those of `tts.core.tree.Node`."""

    solution: Solution
    path: NodePath = ()
    parent: int | None = None
    kind: str = ""
    landed_s: float = 0.0
    children: list[int] = field(default_factory=list)
    verdict: Verdict | None = None
    score: float | None = None
    judged_s: float | None = None
    notes: dict[str, float] = field(default_factory=dict)


class SearchTree:
    """The growing tree of one search; nodes are numbered in the order of arrival.

    Args:
        problem: The problem.
        aggregator: How step scores are combined into a node's score; None for the verifier's published default.
    """

    def __init__(self, problem: Problem, aggregator: str | None = None) -> None:
        self.problem = problem
        self._aggregator = aggregator
        self._used_aggregator = aggregator
        self._nodes = [_Growing(Solution())]
        self._spent: dict[str, Usage] = {}

    def add(self, parent: int, solution: Solution, kind: str = "") -> int:
        """Adds a node and returns it.

        Args:
            parent: The node that the solution continues; `ROOT` if it starts from the problem.
            solution: The whole solution, including its parent's text.
            kind: Distinguishes samples with the same parent and index, such as `rollout`; `revision` or `critique` if the
                text does not continue its parent's.
        """
        node, above, at_s = len(self._nodes), self._nodes[parent], self._now()
        if not above.children:
            emit(lambda: Expanded(self.problem.id, at_s, parent, above.path))
        path = (*above.path, (kind, solution.index))
        self._nodes.append(_Growing(solution, path, parent, kind, at_s))
        above.children.append(node)
        emit(lambda: Sampled(self.problem.id, at_s, node, path, parent, solution, kind))
        self._emit_spent(at_s)
        return node

    def judge(self, node: int, verdict: Verdict) -> float | None:
        """Records the verdict on a node's whole solution and returns its aggregated score, None if there is none."""
        rule, judged = self._aggregator or verdict.aggregator, self._nodes[node]
        score, at_s = aggregate(verdict.scores, rule), self._now()
        judged.verdict, judged.score, judged.judged_s = verdict, score, at_s
        if score is not None:  # a verdict without scores (the budget is used up) may not name an aggregator
            self._used_aggregator = rule
        emit(lambda: Judged(self.problem.id, at_s, node, judged.path, verdict, score))
        self._emit_spent(at_s)
        return score

    def note(self, node: int, **notes: float) -> None:
        """Saves numbers about a node under names chosen by the strategy; `result` can select by them."""
        self._nodes[node].notes.update(notes)

    def notes(self, node: int) -> Mapping[str, float]:
        """Returns the numbers saved about a node."""
        return self._nodes[node].notes

    def solution(self, node: int) -> Solution:
        """Returns a node's whole solution, including the text of the nodes above."""
        return self._nodes[node].solution

    def verdict(self, node: int) -> Verdict | None:
        """Returns the verdict on a node's solution, None if it was not judged."""
        return self._nodes[node].verdict

    def score(self, node: int) -> float | None:
        """Returns a node's score, None if it has none."""
        return self._nodes[node].score

    def path(self, node: int) -> NodePath:
        """Returns a node's place in the tree, independent of arrival order: kind and index of each node from the root."""
        return self._nodes[node].path

    def ancestors(self, node: int) -> Iterator[int]:
        """Yields the nodes above a node, from its parent up to the root."""
        while (parent := self._nodes[node].parent) is not None:
            yield parent
            node = parent

    def leaves(self) -> list[int]:
        """Returns the nodes without children, in the order of their paths."""
        return sorted((i for i, node in enumerate(self._nodes) if i != ROOT and not node.children), key=self.path)

    def answers(self, grader: Grader) -> list[str | None]:
        """Returns the final answer of each leaf, in the order of `leaves`."""
        return [grader.answer(self.solution(node)) for node in self.leaves()]

    async def result(
        self, selection: str, grader: Grader, candidates: Iterable[int] | None = None, by: str | None = None
    ) -> SearchResult:
        """Selects one of the candidates.

        Neither the choice nor the numbering of candidates and nodes depends on the order in which nodes were added.

        Args:
            selection: A key of `tts.core.selection.SELECTIONS`.
            grader: Extracts the answers and groups equivalent ones.
            candidates: Nodes; None for the leaves.
            by: The note to select by in place of the score; None for the score.
        """
        numbers = self.leaves() if candidates is None else sorted(set(candidates), key=self.path)
        nodes = [self._nodes[number] for number in numbers]
        answers = [grader.answer(node.solution) for node in nodes]
        groups = await grader.group(answers)
        ranks = [node.notes.get(by) if by else node.score for node in nodes]
        chosen = SELECTIONS[selection](ranks, groups)
        found = tuple(
            Candidate(node.solution, answer, node.verdict, node.score)
            for node, answer in zip(nodes, answers, strict=True)
        )
        order = sorted(range(len(self._nodes)), key=self.path)
        place = {number: i for i, number in enumerate(order)}
        about = {number: (i, answers[i], groups[i]) for i, number in enumerate(numbers)}
        tree = Tree(
            self.problem.id,
            selection,
            self._used_aggregator,
            None if chosen is None else place[numbers[chosen]],
            tuple(self._grown(number, place, *about.get(number, (None, None, None))) for number in order),
            by,
        )
        result = SearchResult(chosen, found, groups, tree)
        at_s, choice = self._now(), None if chosen is None else numbers[chosen]
        self._emit_spent(at_s)
        emit(lambda: Chosen(self.problem.id, at_s, choice, () if choice is None else self.path(choice), result.answer))
        return result

    def _grown(
        self, number: int, place: Mapping[int, int], candidate: int | None, answer: str | None, group: int | None
    ) -> Node:
        node = self._nodes[number]
        if node.parent is None:
            return Node(self.problem.question, notes=node.notes)
        solution, verdict = node.solution, node.verdict
        rewrites = node.kind in REWRITES
        return Node(
            text=solution.text.removeprefix("" if rewrites else self.solution(node.parent).text),
            parent=place[node.parent],
            index=solution.index,
            tokens=solution.tokens,
            status="expanded" if node.children else _STATUSES[solution.finish_reason],
            steps=len(solution.steps),
            landed_s=node.landed_s,
            kind=node.kind if rewrites else "",
            scores=None if verdict is None else verdict.scores,
            score=node.score,
            votes=() if verdict is None else verdict.votes,
            judged_s=node.judged_s,
            candidate=candidate,
            answer=answer,
            group=group,
            notes=dict(node.notes),
        )

    def _now(self) -> float:
        return round(current().wall_s, 4)

    def _emit_spent(self, at_s: float) -> None:
        if heard() and (usage := current().usage) != self._spent:
            self._spent = {role: copy(spent) for role, spent in usage.items()}
            emit(lambda: Spent(self.problem.id, at_s, self._spent))
