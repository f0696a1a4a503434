"""The search tree: one schema for all strategies.

Node 0 is the problem. Every other node is a solution or a prefix of one; its parent is the node that it continues or
revises. Nodes are numbered by their place in the tree, never by time of arrival.

A tree is saved as node-link JSON with the attributes of `Tree` for the graph and those of `Node` for each node, `notes`
and `kind` spread out (`"visits": 3`, `"revision": true`). Attributes that do not apply are left out: the problem's node
has only its text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts.core.aggregate import aggregate
from tts.core.errors import UserError
from tts.core.secrets import Secrets
from tts.core.selection import SELECTIONS
from tts.core.verdict import Vote
from tts.core.well_formed import well_formed

if TYPE_CHECKING:
    import networkx

ROOT = 0

REWRITES = ("revision", "critique")
"""Kinds of nodes whose text replaces their parents' text instead of continuing it."""

_SHOWN, _BYTES = 100, 241
"""Characters and bytes of an id in its tree's file name; file systems allow 255 bytes."""
_HASHED = re.compile(r".*-[0-9a-f]{8}", re.DOTALL)

Status = Literal["expanded", "finished", "cut", "open"]
"""A node's status: it has children, the policy ended it, a token limit cut it, or it can be continued."""

_PLAIN = ("text", "index", "tokens", "status", "steps", "landed_s", "score", "judged_s", "candidate", "answer", "group")
_NAMES = {*_PLAIN, *REWRITES, "scores", "votes", "id"}


@dataclass(frozen=True)
class Node:
    """A node of a search tree.

    Attributes:
        text: The text that it adds to its parent's; its whole text if its kind is one of `REWRITES`; the question at
            the root.
        parent: Its parent node, None for the root.
        index: Its sample index below its parent.
        tokens: Completion tokens of the solution up to and including this node.
        status: How the text ends; meaningless at the root.
        steps: Number of steps of the node's whole solution.
        landed_s: When it was sampled, in seconds since the start of the problem.
        kind: `revision` if it is a new solution replacing its parent's, `critique` if it is the policy's comment on its
            parent's, empty otherwise.
        scores: One per judged step of the whole solution, None if it was not judged.
        score: The scores as one number, None if there is no usable verdict.
        votes: The individual votes that the scores average.
        judged_s: When it was judged, None if it was not.
        candidate: Its number among the candidates, None if it is not one.
        answer: The candidate's final answer, None if it has none.
        group: The candidate's group of equivalent answers, None if it has no answer.
        notes: Further values of the strategy: `visits` and `value` (tree searches), `weight` (particle methods).
    """

    text: str
    parent: int | None = None
    index: int = 0
    tokens: int = 0
    status: Status = "open"
    steps: int = 0
    landed_s: float = 0.0
    kind: str = ""
    scores: tuple[float | None, ...] | None = None
    score: float | None = None
    votes: tuple[Vote, ...] = ()
    judged_s: float | None = None
    candidate: int | None = None
    answer: str | None = None
    group: int | None = None
    notes: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Tree:
    """The tree of a search that has ended.

    Attributes:
        problem: The problem's id.
        selection: The rule that made the choice, a key of `tts.core.selection.SELECTIONS`.
        aggregator: How a node's score was computed from step scores, None if nothing had a usable score.
        chosen: The chosen node, None if none could be chosen.
        nodes: By number; parents come before their children.
        by: The note that the choice was based on, None for the score.
    """

    problem: str
    selection: str
    aggregator: str | None
    chosen: int | None
    nodes: tuple[Node, ...]
    by: str | None = None

    def children(self, node: int) -> tuple[int, ...]:
        """Returns a node's children, in order."""
        return self._children[node]

    def ancestors(self, node: int) -> Iterator[int]:
        """Yields the nodes above a node, from its parent up to the root."""
        while (parent := self.nodes[node].parent) is not None:
            yield parent
            node = parent

    def leaves(self) -> list[int]:
        """Returns the nodes without children, except the root."""
        return [node for node, below in enumerate(self._children) if node != ROOT and not below]

    def to_networkx(self) -> networkx.DiGraph[int]:
        """Returns the tree as a graph with the attributes that are saved."""
        import networkx as nx

        return nx.DiGraph(nx.node_link_graph(_node_link(self), edges="edges"))

    @cached_property
    def _children(self) -> tuple[tuple[int, ...], ...]:
        below: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            if node.parent is not None:
                below[node.parent].append(number)
        return tuple(map(tuple, below))


def choose(tree: Tree) -> int | None:
    """Derives the chosen node from the tree's data: the candidates' step scores and groups, and the rules.

    Returns:
        The node, None if no candidate can be chosen.
    """
    numbers = {node.candidate: number for number, node in enumerate(tree.nodes) if node.candidate is not None}
    candidates = [tree.nodes[numbers[candidate]] for candidate in sorted(numbers)]
    if tree.by is not None:
        ranks = [node.notes.get(tree.by) for node in candidates]
    else:
        ranks = [aggregate(node.scores or (), tree.aggregator) if tree.aggregator else None for node in candidates]
    chosen = SELECTIONS[tree.selection](ranks, [node.group for node in candidates])
    return None if chosen is None else numbers[chosen]


def tree_path(folder: Path, problem: str) -> Path:
    """Returns the path of a problem's tree; different ids have different files, whatever their characters and length."""
    name = re.sub(r"[^\w.-]", "_", problem)[:_SHOWN].encode()[:_BYTES].decode(errors="ignore")
    # An id that looks like a name with a hash could be the name of another.
    if name != problem or _HASHED.fullmatch(problem):
        name += "-" + hashlib.sha256(problem.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return folder / f"{name}.json"


def tree_text(tree: Tree, secrets: Secrets) -> str:
    """Returns a tree as node-link JSON without the secrets: the contents of its file."""
    return well_formed(secrets.hide(json.dumps(_node_link(tree), ensure_ascii=False))) + "\n"


def save_tree(tree: Tree, folder: Path) -> None:
    """Writes a tree to its file."""
    tree_path(folder, tree.problem).write_text(tree_text(tree, Secrets()), "utf-8")


def load_tree(path: Path) -> Tree:
    """Reads a tree.

    Raises:
        UserError: The file does not hold one.
    """
    try:
        data = json.loads(well_formed(path.read_text("utf-8", "surrogatepass")))
        about = data["graph"]
        missing = {"problem", "selection", "aggregator", "chosen"} - set(about)
        if missing:
            raise UserError(f"{path}: not a search tree: it has no {', '.join(sorted(missing))}")
        parents = {edge["target"]: edge["source"] for edge in data["edges"]}
        rows = sorted(data["nodes"], key=lambda row: int(row["id"]))
        if not all(row["id"] == i and (i == ROOT or 0 <= parents[i] < i) for i, row in enumerate(rows)):
            raise ValueError("its nodes are not numbered from the root")
        nodes = [
            Node(
                parent=parents.get(row["id"]),
                kind=next((kind for kind in REWRITES if row.get(kind)), ""),
                scores=tuple(row["scores"]) if "scores" in row else None,
                votes=tuple(Vote(tuple(vote["scores"]), tuple(vote["critiques"])) for vote in row.get("votes", ())),
                notes={key: value for key, value in row.items() if key not in _NAMES},
                **{key: row[key] for key in _PLAIN if key in row},
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a search tree ({error})") from None
    return Tree(
        about["problem"], about["selection"], about["aggregator"], about["chosen"], tuple(nodes), about.get("by")
    )


def _node_link(tree: Tree) -> dict[str, object]:
    about = {key: getattr(tree, key) for key in ("problem", "selection", "aggregator", "chosen")}
    if tree.by is not None:
        about["by"] = tree.by
    edges = ((node.parent, number) for number, node in enumerate(tree.nodes) if node.parent is not None)
    return {
        "directed": True,
        "multigraph": False,
        "graph": about,
        "nodes": [{**_attributes(node), "id": number} for number, node in enumerate(tree.nodes)],
        "edges": [{"source": parent, "target": node} for parent, node in sorted(edges)],
    }


def _attributes(node: Node) -> dict[str, object]:
    """Returns a node's saved attributes, in the order in which a search learns them."""
    attributes: dict[str, object] = {"text": node.text}
    if node.parent is not None:
        attributes.update({key: getattr(node, key) for key in ("index", "tokens", "status", "steps", "landed_s")})
    if node.kind in REWRITES:
        attributes[node.kind] = True
    if node.scores is not None:
        votes = [{"scores": list(vote.scores), "critiques": list(vote.critiques)} for vote in node.votes]
        attributes.update(scores=list(node.scores), score=node.score, votes=votes, judged_s=node.judged_s)
    attributes.update(node.notes)
    if node.candidate is not None:
        attributes.update(candidate=node.candidate, answer=node.answer, group=node.group)
    return attributes
