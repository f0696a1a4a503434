"""How many completions the prefixes of a problem get. A plan only reads counts, so that it is the same at any speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from tts.core.settings import PositiveInt, Probability, refused, settings
from tts.label.evidence import Count
from tts.label.prefixes import PrefixTree


class Completions(Protocol):
    """Decides how many completions to sample."""

    @property
    def most(self) -> int:
        """The most completions of a prefix; 0 if none are ever sampled."""

    @property
    def all_steps(self) -> bool:
        """Whether every step is counted."""

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns how many more completions to sample now, by node; empty once there are enough.

        Args:
            tree: The prefixes, with the completions counted so far.
            sampled: The policy's samples of the problem: an estimate of its Pass@1.
        """


class NoCompletions:
    """Samples none: for labels by a verifier alone."""

    most = 0
    all_steps = False

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns nothing."""
        return {}


@settings
class Fixed:
    """Samples the same number for every prefix.

    Args:
        k: The number. 8: Math-Shepherd, Qwen. 16: VisualPRM.
    """

    all_steps = True

    def __init__(self, k: PositiveInt = 8) -> None:
        self.most = k

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns what is missing."""
        return missing(tree, self.most)


@settings
class ByPassAt1:
    """Samples more for harder problems, where right completions are rare.

    Source: GenPRM (arXiv 2504.00891): 128 if the estimated Pass@1 is below 0.1, 64 up to 0.9, 32 from there.

    Args:
        bounds: Ascending Pass@1 between two numbers.
        k: The numbers, one more than bounds.
    """

    all_steps = True

    def __init__(self, bounds: Sequence[Probability] = (0.1, 0.9), k: Sequence[PositiveInt] = (128, 64, 32)) -> None:
        if len(k) != len(bounds) + 1:
            raise refused("k", list(k), f"{len(bounds) + 1} numbers are needed, one more than bounds")
        if any(low >= high for low, high in pairwise(bounds)):
            raise refused("bounds", list(bounds), "they must ascend")
        self._bounds, self._k, self.most = tuple(bounds), tuple(k), max(k)

    def wanted(self, tree: PrefixTree, sampled: Count) -> Mapping[int, int]:
        """Returns what is missing."""
        pass_at_1 = float(sampled.share or 0)
        return missing(tree, self._k[sum(pass_at_1 >= bound for bound in self._bounds)])


def missing(tree: PrefixTree, k: int) -> dict[int, int]:
    """Returns how many completions each prefix has too few of `k`."""
    return {node: k - count.total for node, count in enumerate(tree.counts) if count.total < k}
