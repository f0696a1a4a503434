"""What Monte Carlo tree search counts, and how it descends by that: UCT, PUCT, virtual loss."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from tts.core.tree import ROOT

ACQUISITIONS: dict[str, Callable[[float, float, float, float, float], float]] = {
    # Kocsis & Szepesvari 2006: Q + c sqrt(ln N / n); each child once before any twice.
    "uct": lambda q, c, p, total, n: q + c * math.sqrt(math.log(total) / n) if n else math.inf,
    # Silver et al. 2018: Q + c P sqrt(N) / (1 + n).
    "puct": lambda q, c, p, total, n: q + c * p * math.sqrt(total) / (1 + n),
}
"""What a child is selected by, from its value Q, c, its prior P, the visits N of its parent and its own, n."""


class Visits:
    """Visits and values of a tree's nodes.

    The root has been visited once before the first simulation, so every node with children has 1 + the sum of their visits.

    Args:
        rule: A key of `ACQUISITIONS`.
        exploration: c.
        loss: As how many visits worth 0 a simulation in work counts.
    """

    def __init__(self, rule: str, exploration: float, loss: float) -> None:
        self._rule, self._c, self._loss = ACQUISITIONS[rule], exploration, loss
        self._scores: dict[int, float] = {ROOT: 0.0}
        self._priors: dict[int, float] = {}
        self._totals: defaultdict[int, float] = defaultdict(float)
        self._running: Counter[int] = Counter()
        self.count: Counter[int] = Counter({ROOT: 1})
        self.children: dict[int, Sequence[int]] = {}
        """Of each node that was expanded; empty where nothing continued it."""

    @property
    def nodes(self) -> list[int]:
        """All nodes."""
        return list(self._scores)

    def grow(self, node: int, scores: Mapping[int, float]) -> None:
        """Gives a node its children with their scores, the best first; of equals the one first in the mapping.

        A prior is a child's share of the siblings' scores; all are the same where no score is above 0.
        """
        self._scores.update(scores)
        shares = {child: max(score, 0.0) for child, score in scores.items()}
        whole = math.fsum(shares.values())
        self._priors.update((child, share / whole if whole else 1 / len(shares)) for child, share in shares.items())
        self.children[node] = sorted(scores, key=lambda child: -scores[child])

    def descend(self, prefer: Callable[[int], float] | None = None) -> list[int]:
        """Returns the path from the root to a node without children; of equals the first.

        Args:
            prefer: What a child is selected by; None for the rule.
        """
        path = [ROOT]
        while children := self.children.get(path[-1]):
            path.append(max(children, key=prefer or self._bound(path[-1])))
        return path

    def begin(self, path: Sequence[int]) -> None:
        """Notes that a simulation takes this path: until it is counted it is lost."""
        self._running.update(path)

    def count_simulation(self, path: Sequence[int], end: int, value: float) -> None:
        """Undoes the loss and counts a simulation that came to `end`, which is the path's last node or a child of it."""
        self._running.subtract(path)
        for node in dict.fromkeys((*path, end)):
            self.count[node] += 1
            self._totals[node] += value

    def value(self, node: int) -> float:
        """Returns the mean of the simulations that went through a node; its score where none did."""
        # The root's first visit is no simulation.
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
