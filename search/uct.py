"""Visit counts and values of Monte Carlo tree search, and its descent by them: UCT, PUCT, virtual loss."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from tts.core.tree import ROOT

ACQUISITIONS: dict[str, Callable[[float, float, float, float, float], float]] = {
    # Kocsis & Szepesvari 2006: Q + c sqrt(ln N / n); every child is visited once before any is visited twice.
    "uct": lambda q, c, p, total, n: q + c * math.sqrt(math.log(total) / n) if n else math.inf,
    # Silver et al. 2018: Q + c P sqrt(N) / (1 + n).
    "puct": lambda q, c, p, total, n: q + c * p * math.sqrt(total) / (1 + n),
}
"""Scores a child for selection from its value Q, the constant c, its prior P, its parent's visits N and its own, n."""


class Visits:
    """Visits and values of a tree's nodes.

    The root counts as visited once before the first simulation, so a node with children has 1 + the sum of their visits.

    Args:
        rule: A key of `ACQUISITIONS`.
        exploration: c.
        loss: Virtual loss: a running simulation counts as this many visits of value 0.
    """

    def __init__(self, rule: str, exploration: float, loss: float) -> None:
        self._rule, self._c, self._loss = ACQUISITIONS[rule], exploration, loss
        self._scores: dict[int, float] = {ROOT: 0.0}
        self._priors: dict[int, float] = {}
        self._totals: defaultdict[int, float] = defaultdict(float)
        self._running: Counter[int] = Counter()
        self.count: Counter[int] = Counter({ROOT: 1})
        self.children: dict[int, Sequence[int]] = {}
        """The children of each expanded node; empty if nothing continued it."""

    @property
    def nodes(self) -> list[int]:
        """All nodes."""
        return list(self._scores)

    def grow(self, node: int, scores: Mapping[int, float]) -> None:
        """Adds a node's children with their scores, ordered best first; ties keep the order of the mapping.

        A child's prior is its share of the sum of the siblings' scores; priors are uniform if no score is above 0.
        """
        self._scores.update(scores)
        shares = {child: max(score, 0.0) for child, score in scores.items()}
        whole = math.fsum(shares.values())
        self._priors.update((child, share / whole if whole else 1 / len(shares)) for child, share in shares.items())
        self.children[node] = sorted(scores, key=lambda child: -scores[child])

    def descend(self, prefer: Callable[[int], float] | None = None) -> list[int]:
        """Returns the path from the root to a node without children; ties go to the first child.

        Args:
            prefer: Scores a child for selection; None for the rule.
        """
        path = [ROOT]
        while children := self.children.get(path[-1]):
            path.append(max(children, key=prefer or self._bound(path[-1])))
        return path

    def begin(self, path: Sequence[int]) -> None:
        """Marks a simulation as running on this path: until it is counted it is a loss."""
        self._running.update(path)

    def count_simulation(self, path: Sequence[int], end: int, value: float) -> None:
        """Undoes the loss and counts a simulation that ended at `end`, the path's last node or a child of it."""
        self._running.subtract(path)
        for node in dict.fromkeys((*path, end)):
            self.count[node] += 1
            self._totals[node] += value

    def value(self, node: int) -> float:
        """Returns the mean of the simulations that passed through a node; its score if none did."""
        # The root's first visit is not a simulation.
        n = self.count[node] - (node == ROOT)
        return self._totals[node] / n if n else self._scores[node]

    def _seen(self, node: int) -> float:
        return self.count[node] + self._loss * self._running[node]

    def _bound(self, parent: int) -> Callable[[int], float]:
        total = self._seen(parent)

        def bound(node: int) -> float:
            n = self._seen(node)
            return self._rule(self._totals[node] / n if n else 0.0, self._c, self._priors[node], total, n)

        return bound
