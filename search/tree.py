"""The search tree: one schema for all strategies.

A `networkx.DiGraph` whose node 0 is the problem. Every other node is a solution or the beginning of one and hangs below what
it goes on from. Node attributes: `text` (what the node adds), `finish_reason`, `tokens` (completion tokens of the text up to
and with the node), `answer`, `score` (the verdict as one number), `scores` (one per step), `votes` (each vote's scores and
critiques); the last three are absent where nothing was judged. The graph's attribute `chosen` is the chosen node, or None.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from tts.types import Candidate, Problem


def star(problem: Problem, candidates: Sequence[Candidate], chosen: int | None) -> nx.DiGraph[int]:
    """Returns the tree of a strategy that samples whole solutions: candidate i is node i + 1 below the problem."""
    tree: nx.DiGraph[int] = nx.DiGraph(problem=problem.id, chosen=None if chosen is None else chosen + 1)
    tree.add_node(0, text=problem.question)
    for number, candidate in enumerate(candidates, 1):
        solution = candidate.solution
        tree.add_node(
            number,
            text=solution.text,
            finish_reason=solution.finish_reason,
            tokens=solution.tokens,
            answer=candidate.answer,
        )
        if candidate.verdict is not None:
            votes = [{"scores": list(v.scores), "critiques": list(v.critiques)} for v in candidate.verdict.votes]
            tree.nodes[number].update(score=candidate.score, scores=list(candidate.verdict.scores), votes=votes)
        tree.add_edge(0, number)
    return tree
