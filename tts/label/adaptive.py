"""Adaptive completions: a prefix gets no more once the labels that depend on it are settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        monotone: Whether to assume, as OmegaPRM does, that nothing is solved any more after a prefix that is not, so that
            what follows it waits for it, and is left as it is, under every rule. Relative progress and rules that label
            nothing after an error need no such assumption.
    """

    all_steps = True

    def __init__(self, rule: CountRule, prediction: Prediction, monotone: bool = False) -> None:
        self._rule, self._prediction = rule, prediction
        self._ends_at_zero = rule.ends or monotone
        self.most = prediction.most
        self._shares = [Fraction(right, self.most) for right in range(self.most + 1)]
        # (most + 1, most + 1): whether a step is right, by the number of right completions before and after it.
        self._right: Array = np.stack([self._right_after(before) for before in self._shares])
        # The certain outcome of a whole solution: wrong, right.
        self._outcomes: tuple[Array, Array] = (np.eye(self.most + 1)[0], np.eye(self.most + 1)[-1])

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns another batch for the prefixes around each step whose label is open."""
        shares = [self._prediction.distribution(count) for count in tree.counts]
        alive, unsolved = self._alive(tree, shares)
        wanted: set[int] = set()
        for before, after, outcome in self._steps(tree, shares):
            share = tree.counts[before].share if tree.counts[before].total > self.most else None
            rights = shares[before] @ self._right if share is None else self._right_after(share)
            right = min(alive[before], float(rights @ outcome))
            # Before the first batch only the prior speaks, whose guess decides nothing.
            begun = tree.counts[after].total or self._prediction.unlikely(alive[before])
            if begun and self._prediction.settled(right):
                continue
            open_end = unsolved[before]
            around = (before, after) if self._rule.relative else (after,)
            wanted.update(around if open_end is None else (open_end,))
        batches = {node: self._prediction.more(tree.counts[node]) for node in sorted(wanted)}
        return {node: batch for node, batch in batches.items() if batch}

    def _right_after(self, before: Fraction) -> Array:
        """Returns whether a step is right by the number of right completions after it, (most + 1,)."""
        return np.array([self._rule.right(self._rule.value(before, after)) for after in self._shares], dtype=float)

    def _steps(self, tree: PrefixTree, shares: Sequence[Array]) -> Iterator[tuple[int, int, Array]]:
        """Yields for each step the prefix before it, the one to count after it, and the distribution of that count."""
        for before, after in tree.edges():
            yield before, after, shares[after]
        if self._rule.relative:  # otherwise a last step is settled by the answer
            for path, right in zip(tree.paths, tree.right, strict=True):
                yield path[-1], path[-1], self._outcomes[bool(right)]

    def _alive(self, tree: PrefixTree, shares: Sequence[Array]) -> tuple[list[float], list[int | None]]:
        """Returns, for rules that look no further than the first prefix that no completion solves, two values a prefix.

        An upper bound of the probability that all prefixes up to it are solved, and the first of them that no completion
        has solved so far: as long as that is open, nothing after it is sampled.
        """
        alive = [1.0] * len(shares)
        first: list[int | None] = [None] * len(shares)
        if not self._ends_at_zero:
            return alive, first
        for before, node in tree.edges():
            count = tree.counts[node]
            alive[node] = min(alive[before], 1.0 - float(shares[node][0]))
            first[node] = node if first[before] is None and count.total and not count.right else first[before]
        return alive, first
