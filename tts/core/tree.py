"""The search tree: one schema for all strategies.

A `networkx.DiGraph` whose node 0 is the problem. Every other node is a solution or the beginning of one, and hangs below
what it goes on from, or below the solution that it revises. Graph attributes:

- `problem`: its id; `selection` and `aggregator`: the rules behind the choice; `chosen`: the chosen node, or None.
- `by`: the node attribute that the choice went by, where it was not the score.

Node attributes (node 0 has `text`, the question, alone):

- `text`: what the node adds to its parent's; `revision`: true where it is a new solution instead, `critique`: true where it
  is what the policy itself says about its parent's.
- `index`: which sample of its parent it is; `tokens`: completion tokens of the solution up to and with the node.
- `status`: `expanded` (something goes on from it), `finished` (the policy ended it), `cut` (at a token limit), `open`.
- `landed_s`, `judged_s`: seconds after the problem was begun.
- `steps`: the node's whole solution has so many; `scores` (one per judged step), `score` (they as one number),
  `votes` (each vote's `scores` and `critiques`): where it was judged. `score` is None where there is no usable verdict.
- `candidate`: its number among the candidates, `answer`, `group` (of equivalent answers): where it is one.
- What else a strategy notes: `visits` and `value` (tree searches), `weight` (particle methods).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import networkx as nx

from tts.budget import current
from tts.core.aggregate import aggregate
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.selection import SELECTIONS
from tts.core.values import Candidate, Problem, SearchResult, Solution, Verdict

ROOT = 0

_NEW_TEXTS = ("revision", "critique")
"""Kinds of nodes that do not go on from their parent's text."""


class SearchTree:
    """The tree of a search while it grows.

    Args:
        problem: The problem.
        aggregator: How step scores make a node's score; None for the verifier's published default.
    """

    def __init__(self, problem: Problem, aggregator: str | None = None) -> None:
        self._problem = problem
        self._aggregator = aggregator
        self._graph: nx.DiGraph[int] = nx.DiGraph()
        self._graph.add_node(ROOT, text=problem.question)
        self._solutions: dict[int, Solution] = {ROOT: Solution()}
        self._verdicts: dict[int, Verdict] = {}
        self._scores: dict[int, float | None] = {}
        self._paths: dict[int, tuple[tuple[str, int], ...]] = {ROOT: ()}

    def add(self, parent: int, solution: Solution, kind: str = "") -> int:
        """Adds a node and returns it.

        Args:
            parent: What the solution goes on from; `ROOT` for nothing.
            solution: The solution, from its beginning.
            kind: Tells samples apart that have the same parent and index, such as `rollout`; `revision` or `critique`
                where the text does not go on from its parent's.
        """
        node = len(self._graph)
        known = "" if kind in _NEW_TEXTS else self._solutions[parent].text
        path = (*self._paths[parent], (kind, solution.index))
        self._graph.add_node(
            node,
            text=solution.text.removeprefix(known),
            index=solution.index,
            tokens=solution.tokens,
            status={"stop": "finished", "length": "cut", "step": "open"}[solution.finish_reason],
            steps=len(solution.steps),
            landed_s=round(current().wall_s, 4),
        )
        if kind in _NEW_TEXTS:
            self._graph.nodes[node][kind] = True
        self._graph.add_edge(parent, node)
        self._solutions[node] = solution
        self._paths[node] = path
        return node

    def judge(self, node: int, verdict: Verdict) -> float | None:
        """Notes the verdict on a node's whole solution and returns it as one number, None where it has no usable score."""
        score = aggregate(verdict.scores, self._aggregator or verdict.aggregator)
        self._verdicts[node], self._scores[node] = verdict, score
        votes = [{"scores": list(vote.scores), "critiques": list(vote.critiques)} for vote in verdict.votes]
        self._graph.nodes[node].update(
            scores=list(verdict.scores), score=score, votes=votes, judged_s=round(current().wall_s, 4)
        )
        if score is not None:  # a verdict without one, as where the budget is used up, need not know the rule
            self._graph.graph["aggregator"] = self._aggregator or verdict.aggregator
        return score

    def note(self, node: int, **attributes: float) -> None:
        """Saves what the strategy knows of a node under names of its own; `result` can choose by them."""
        self._graph.nodes[node].update(attributes)

    def solution(self, node: int) -> Solution:
        """Returns a node's solution, from its beginning."""
        return self._solutions[node]

    def verdict(self, node: int) -> Verdict | None:
        """Returns the verdict on a node's solution, None where it was not judged."""
        return self._verdicts.get(node)

    def score(self, node: int) -> float | None:
        """Returns a node's score, None where it has none."""
        return self._scores.get(node)

    def path(self, node: int) -> tuple[tuple[str, int], ...]:
        """Returns what places a node in the tree, whenever it was added: kind and index of each node from the root on."""
        return self._paths[node]

    def leaves(self) -> list[int]:
        """Returns the nodes that nothing goes on from, in the order of their paths."""
        return sorted((node for node in self._graph if node != ROOT and not self._graph[node]), key=self.path)

    def answers(self, grader: Grader) -> list[str | None]:
        """Returns the final answer of each leaf, in the order of `leaves`."""
        return [grader.answer(self._solutions[node]) for node in self.leaves()]

    async def result(
        self, selection: str, grader: Grader, candidates: Iterable[int] | None = None, by: str | None = None
    ) -> SearchResult:
        """Chooses one of the candidates.

        Neither the choice nor the numbers of candidates and nodes depend on the order in which nodes were added.

        Args:
            selection: A key of `tts.core.selection.SELECTIONS`.
            grader: Says what the answers are, and which are equivalent.
            candidates: Nodes; None for the leaves.
            by: The noted attribute that stands for the score in the choice; None for the score.
        """
        nodes = self.leaves() if candidates is None else sorted(set(candidates), key=self.path)
        answers = [grader.answer(self._solutions[node]) for node in nodes]
        groups = await grader.group(answers)
        scores = [self._scores.get(node) for node in nodes]
        ranks = [self._graph.nodes[node].get(by) for node in nodes] if by else scores
        chosen = SELECTIONS[selection](ranks, groups)
        for number, (node, answer, group) in enumerate(zip(nodes, answers, groups, strict=True)):
            self._graph.nodes[node].update(candidate=number, answer=answer, group=group)
        for node in self._graph:
            if node != ROOT and self._graph[node]:
                self._graph.nodes[node]["status"] = "expanded"
        order = {node: number for number, node in enumerate(sorted(self._graph, key=self.path))}
        tree: nx.DiGraph[int] = nx.DiGraph(
            problem=self._problem.id,
            selection=selection,
            aggregator=self._graph.graph.get("aggregator", self._aggregator),
            chosen=None if chosen is None else order[nodes[chosen]],
        )
        if by:
            tree.graph["by"] = by
        tree.add_nodes_from((order[node], self._graph.nodes[node]) for node in sorted(self._graph, key=self.path))
        tree.add_edges_from(sorted((order[parent], order[node]) for parent, node in self._graph.edges))
        found = [
            Candidate(self._solutions[node], answer, self._verdicts.get(node), score)
            for node, answer, score in zip(nodes, answers, scores, strict=True)
        ]
        return SearchResult(chosen, tuple(found), groups, tree)


def choose(tree: nx.DiGraph[int]) -> int | None:
    """Derives the chosen node from what the tree holds: the candidates' step scores and groups, and the rules.

    Returns:
        The node, None where no candidate can be chosen.
    """
    attributes: dict[int, dict[str, Any]] = {node: tree.nodes[node] for node in tree if "candidate" in tree.nodes[node]}
    nodes = sorted(attributes, key=lambda node: attributes[node]["candidate"])
    rule, by = tree.graph["aggregator"], tree.graph.get("by")
    # Without a rule nothing had a usable score.
    scores = [aggregate(attributes[n]["scores"], rule) if rule and "scores" in attributes[n] else None for n in nodes]
    if by:
        scores = [attributes[node].get(by) for node in nodes]
    chosen = SELECTIONS[tree.graph["selection"]](scores, [attributes[node]["group"] for node in nodes])
    return None if chosen is None else nodes[chosen]


def tree_path(folder: Path, problem: str) -> Path:
    """Returns where a problem's tree is saved; different ids have different files, whatever characters they hold."""
    name = re.sub(r"[^\w.-]", "_", problem)[:100]
    if name != problem:
        name += "-" + hashlib.sha256(problem.encode()).hexdigest()[:8]
    return folder / f"{name}.json"


def save_tree(tree: nx.DiGraph[int], folder: Path) -> None:
    """Writes a tree as node-link JSON."""
    text = json.dumps(nx.node_link_data(tree, edges="edges"), ensure_ascii=False)
    tree_path(folder, str(tree.graph["problem"])).write_text(text + "\n", "utf-8", "surrogatepass")


def load_tree(path: Path) -> nx.DiGraph[int]:
    """Reads a tree.

    Raises:
        UserError: The file holds none.
    """
    try:
        data = json.loads(path.read_text("utf-8", "surrogatepass"))
        tree: nx.DiGraph[int] = nx.DiGraph(nx.node_link_graph(data, edges="edges"))
        missing = {"problem", "selection", "aggregator", "chosen"} - set(tree.graph)
    except (ValueError, KeyError, TypeError, nx.NetworkXError) as error:
        raise UserError(f"{path}: not a search tree ({error})") from None
    if missing:
        raise UserError(f"{path}: not a search tree: it has no {', '.join(sorted(missing))}")
    return tree
