"""REBASE, reward-balanced search: the better a partial solution, the more continuations it gets.

Source: Wu et al. 2024 (arXiv 2408.00724), sec. 3.1.2 and eq. 1; the allocation is the released code's (`select_softmax`
of thu-wyz/inference_scaling, read in SqueezeAILab/ETS at ac937a7). Eq. 1 rounds every share to the nearest integer,
which can allocate more or less than the budget, and nothing if all shares are below one half; the code goes from the best
partial solution to the worst and gives each its share of the remainder, rounded up, so that exactly the budget is spent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.base import ROOT, Selection, field
from search.step_search import StepSearch
from search.step_tree import StepTree
from tts.core.settings import PositiveFloat, PositiveInt

_ROUNDING_ERROR = 1e-9


class Rebase(StepSearch):
    """Reward-balanced search. The paper's aggregator is `last`.

    Args:
        n: Number of solutions, and of continuations at the first depth; each solution that ends reduces later depths by one.
        temperature: The balance temperature T_b of the softmax over scores: near 0 the best gets all, if high all get equal
            shares.
    """

    n: PositiveInt
    temperature: PositiveFloat = 0.2
    selection: Selection = field(default="weighted_vote", kw_only=True)

    async def grow(self, tree: StepTree) -> list[int]:
        """Judges every continuation as soon as it is sampled; only the allocation at a depth waits for all judgements."""
        ended: list[int] = []
        open_: list[int] = []
        widths = {ROOT: self.n}
        for _ in range(self.depth):
            grown = await tree.expand(widths)
            if not grown:  # the budget is used up, or there is nothing to continue
                break
            ended += [node for node in grown if not tree.is_open(node)]
            open_ = sorted((node for node in grown if tree.is_open(node)), key=tree.rank)
            shares = allocate([tree.score(node) for node in open_], self.n - len(ended), self.temperature)
            widths = {node: share for node, share in zip(open_, shares, strict=True) if share}
        return [*ended, *open_]


def allocate(scores: Sequence[float | None], budget: int, temperature: float) -> list[int]:
    """Returns how many continuations each partial solution gets, `budget` in all.

    Args:
        scores: Their scores, best first; one without a score gets nothing if another has one.
        budget: Total number of continuations.
        temperature: T_b.
    """
    best = scores[0] if scores else None
    if best is None:
        weights = [1.0] * len(scores)
    else:
        weights = [0.0 if score is None else math.exp((score - best) / temperature) for score in scores]
    shares = []
    for number, weight in enumerate(weights):
        share = math.ceil(budget * weight / math.fsum(weights[number:]) - _ROUNDING_ERROR) if budget else 0
        shares.append(share)
        budget -= share
    return shares
