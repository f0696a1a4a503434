"""The prefixes of a problem's solutions: equal ones are one node, whose completions all its solutions share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tts.core import Solution
from tts.label.evidence import Count

ROOT = 0
"""The node of the problem itself, without any step."""


@dataclass
class PrefixTree:
    """Prefixes as nodes, numbered from the root on, each after the prefix that it extends by a step.

    Attributes:
        prefixes: The prefixes.
        parents: The node before each; that of the root is -1.
        counts: The completions of each that were counted so far.
        paths: For each solution its nodes, from the root to the prefix without its last step.
        right: For each solution whether it is right; None if that is unknown.
    """

    prefixes: list[Solution] = field(default_factory=lambda: [Solution()])
    parents: list[int] = field(default_factory=lambda: [-1])
    counts: list[Count] = field(default_factory=lambda: [Count()])
    paths: list[list[int]] = field(default_factory=list)
    right: list[bool | None] = field(default_factory=list)

    @classmethod
    def of(cls, solutions: Sequence[Solution], right: Sequence[bool | None], start: Count) -> PrefixTree:
        """Returns the tree of solutions.

        Args:
            solutions: The solutions.
            right: Whether each is right.
            start: What is known of the root.
        """
        tree = cls(counts=[start], right=list(right))
        known: dict[tuple[int, str], int] = {}
        for solution in solutions:
            path = [ROOT]
            for k in range(1, len(solution.steps)):
                prefix = solution.prefix(k)
                node = known.setdefault((path[-1], prefix.text), len(tree.prefixes))
                if node == len(tree.prefixes):
                    tree.prefixes.append(prefix)
                    tree.parents.append(path[-1])
                    tree.counts.append(Count())
                path.append(node)
            tree.paths.append(path)
        return tree

    def end(self, solution: int) -> Count:
        """Returns a whole solution as its own only completion."""
        right = self.right[solution]
        return Count() if right is None else Count(int(right), 1)

    def counts_of(self, solution: int) -> tuple[Count, ...]:
        """Returns for each step of a solution the completions of the prefix that ends with it."""
        return (*(self.counts[node] for node in self.paths[solution][1:]), self.end(solution))

    def edges(self) -> Iterator[tuple[int, int]]:
        """Yields each step that is followed by others: the nodes before and after it."""
        return ((parent, node) for node, parent in enumerate(self.parents) if node != ROOT)
