"""Problems whose completions are drawn beforehand, so that plans can be compared on the same ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tts.core import Solution
from tts.label.completions import Completions
from tts.label.evidence import Count, Evidence
from tts.label.prefixes import ROOT, PrefixTree

MOST = 128


@dataclass(frozen=True)
class Drawn:
    """A problem.

    Attributes:
        solutions: Its solutions.
        right: Whether each is right.
        outcomes: By a prefix's text the outcomes of its completions, one after the other.
    """

    solutions: tuple[Solution, ...]
    right: tuple[bool, ...]
    outcomes: dict[str, Sequence[bool]]

    def tree(self) -> PrefixTree:
        return PrefixTree.of(self.solutions, self.right, Count())

    def counted(self, plan: Completions, sampled: Count | None = None) -> PrefixTree:
        """Returns the tree when the plan wants no more."""
        tree = self.tree()
        while wanted := plan.wanted(tree, sampled or Count(4, 8)):
            assert all(more > 0 for more in wanted.values())
            for node, more in wanted.items():
                total = tree.counts[node].total
                drawn = self.outcomes[tree.prefixes[node].text][total : total + more]
                assert len(drawn) == more
                tree.counts[node] += Count(sum(drawn), more)
        return tree


def draw(seed: int, solutions: int = 8, steps: int = 6, wrong: float = 0.2, recovers: float = 0.0) -> Drawn:
    """Returns a problem whose solutions err at each step with a probability, and seldom recover.

    The share of right completions is the probability that the rest goes well, or, after an error, that a completion
    repairs it.
    """
    rng = random.Random(seed)
    made, right, outcomes = [], [], {"": _drawn(rng, (1 - wrong) ** steps)}
    for number in range(solutions):
        state, texts, text = True, [], ""
        for step in range(steps):
            state = rng.random() >= wrong if state else rng.random() < recovers
            texts.append(f"step {step} {'good' if state else f'bad {number}'}")
            text += texts[-1] + "\n\n"
            share = (1 - wrong) ** (steps - step - 1) if state else recovers
            outcomes.setdefault(text, _drawn(rng, share))
        made.append(Solution(text, tuple(texts), "stop", number))
        right.append(state)
    return Drawn(tuple(made), tuple(right), outcomes)


def _drawn(rng: random.Random, share: float) -> list[bool]:
    return [rng.random() < share for _ in range(MOST)]


def evidences(tree: PrefixTree) -> list[Evidence]:
    return [Evidence(tree.counts[ROOT], tree.counts_of(number)) for number in range(len(tree.paths))]
