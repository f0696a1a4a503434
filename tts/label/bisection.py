"""The first error by bisection: a wrong solution of T steps costs log2(T) counts, not T."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core.settings import settings
from tts.label.evidence import Count
from tts.label.prediction import Prediction
from tts.label.prefixes import PrefixTree


@settings
class Bisection:
    """Searches each wrong solution for the first prefix that no completion solves; right solutions need no count.

    Source: OmegaPRM (arXiv 2406.06592), whose search assumes that no later prefix is solved once one is not. A prefix is
    solved at its first right completion, and given up after all of them, or once a right one is improbable.

    Args:
        prediction: When a prefix is given up, and the full number of completions.
    """

    all_steps = False

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self.most = prediction.most

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns another batch for the prefix at which each search has arrived."""
        places = [self._place(tree, path) for path, right in zip(tree.paths, tree.right, strict=True) if right is False]
        return {node: self._prediction.more(tree.counts[node]) for node in places if node is not None}

    def _place(self, tree: PrefixTree, path: list[int]) -> int | None:
        """Returns the prefix to decide next on the path of a wrong solution, None once the first error is known."""
        solved, unsolved = 0, len(path)  # the problem, and the whole solution
        while unsolved - solved > 1:
            middle = (solved + unsolved) // 2
            count = tree.counts[path[middle]]
            if count.right:
                solved = middle
            elif count.total >= self.most or (count.total and self._prediction.hopeless(count)):
                unsolved = middle
            else:
                return path[middle]
        return None
