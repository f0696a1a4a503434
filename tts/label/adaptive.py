"""Adaptive completions: a prefix gets no more once the labels that depend on it are settled."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from tts.core.settings import settings
from tts.label.evidence import Count
from tts.label.prediction import Prediction
from tts.label.prefixes import PrefixTree
from tts.label.rules import CountRule
from tts.statistics.metrics import Array


@settings
class Adaptive:
    """Samples in small batches until each step's label is what the full number would give, at a stated error.

    The labels are those of one rule; other rules read the same counts, but nothing says how close they come.

    Args:
        rule: The rule of the labels; one over counts.
        prediction: When a label is settled, and the full number of completions.
    """

    all_steps = True

    def __init__(self, rule: CountRule, prediction: Prediction) -> None:
        self._rule, self._prediction = rule, prediction
        self.most = prediction.most
        shares = [Fraction(right, self.most) for right in range(self.most + 1)]
        # (most + 1, most + 1): whether a step is right, by the number of right completions before and after it.
        self._right: Array = np.array(
            [[rule.right(rule.value(before, after)) for after in shares] for before in shares], dtype=float
        )
        # The certain outcome of a whole solution: wrong, right.
        self._ends: tuple[Array, Array] = (np.eye(self.most + 1)[0], np.eye(self.most + 1)[-1])

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns another batch for the prefixes around each step whose label is open."""
        shares = [self._prediction.distribution(count) for count in tree.counts]
        dead = self._dead(tree)
        wanted: set[int] = set()
        for before, after in tree.edges():
            if before not in dead and not self._settled(shares[before], shares[after]):
                wanted |= {before, after} if self._rule.relative else {after}
        if self._rule.relative:
            for path, right in zip(tree.paths, tree.right, strict=True):
                if path[-1] not in dead and not self._settled(shares[path[-1]], self._ends[bool(right)]):
                    wanted.add(path[-1])
        batches = {node: self._prediction.more(tree.counts[node]) for node in sorted(wanted)}
        return {node: batch for node, batch in batches.items() if batch}

    def _dead(self, tree: PrefixTree) -> set[int]:
        """Returns the prefixes that are not solved any more, where the rule looks no further."""
        dead: set[int] = set()
        if self._rule.ends:
            for _, node in tree.edges():
                if tree.parents[node] in dead or self._prediction.hopeless(tree.counts[node]):
                    dead.add(node)
        return dead

    def _settled(self, before: Array, after: Array) -> bool:
        """Whether the label of a step is, given the distributions before and after it."""
        return self._prediction.settled(float(before @ self._right @ after))
