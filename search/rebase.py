"""REBASE, reward-balanced search: the better a partial solution, the more continuations it gets.

Source: Wu et al. 2024 (arXiv 2408.00724), sec. 3.1.2 and eq. 1; the allocation is the released code's (`select_softmax`
of thu-wyz/inference_scaling, read in SqueezeAILab/ETS at ac937a7). Eq. 1 rounds every share to the nearest integer,
which gives out more or less than there is, and nothing where all shares are below one half; the code goes from the best
partial solution to the worst and gives each its share of what is left, rounded up, so that exactly all is given out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.base import BaseStrategy
from search.checks import check_step_search
from search.step_tree import StepTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import STEP_SEARCH
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier

_ROUNDING_ERROR = 1e-9


class Rebase(BaseStrategy):
    """Reward-balanced search.

    Args:
        n: Number of solutions, and of continuations at the first depth; each solution that ends takes one from all later.
        temperature: The balance temperature T_b of the softmax over scores: near 0 the best gets all, high all get the same.
        depth: Most steps of a solution.
        aggregator: How step scores make a partial solution's score; None for the verifier's published default. The
            paper's is `last`.
        selection: How one of the solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    needs = STEP_SEARCH
    verifies = True

    def __init__(
        self,
        n: int,
        temperature: float = 0.2,
        depth: int = 40,
        aggregator: str | None = None,
        selection: str = "weighted_vote",
    ) -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one sample is needed")
        if not 0 < temperature < math.inf:
            raise UserError(f"search.temperature={temperature}: it must be a number above 0")
        check_step_search(depth, aggregator, selection)
        self.samples = n
        self._temperature = temperature
        self._depth = depth
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n continuations at every depth."""
        return policy.token_bound(self.samples, self._depth)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every continuation the moment it lands; only the allocation at a depth waits for all of its judgements."""
        tree = StepTree(problem, policy, verifier, self._aggregator)
        ended: list[int] = []
        open_: list[int] = []
        widths = {ROOT: self.samples}
        for _ in range(self._depth):
            grown = await tree.expand(widths)
            if not grown:  # the budget is used up, or there is nothing to go on from
                break
            ended += [node for node in grown if not tree.is_open(node)]
            open_ = sorted((node for node in grown if tree.is_open(node)), key=tree.rank)
            shares = allocate([tree.score(node) for node in open_], self.samples - len(ended), self._temperature)
            widths = {node: share for node, share in zip(open_, shares, strict=True) if share}
        return await tree.result(self._selection, grader, [*ended, *open_])


def allocate(scores: Sequence[float | None], budget: int, temperature: float) -> list[int]:
    """Returns how many continuations each partial solution gets, `budget` in all.

    Args:
        scores: Their scores, best first; one without a score gets nothing as long as another has one.
        budget: How many there are to give.
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
