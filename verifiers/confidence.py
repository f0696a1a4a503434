"""The policy's own confidence as a verifier: no model is asked, a solution is scored by how sure its tokens were.

Sources: DeepConf (Fu et al. 2025, arXiv 2508.15260; facebookresearch/deepconf at 675529d): a token's confidence is the
negative mean log-probability of the k likeliest tokens at its place, a group's the mean over a window, a trace's the mean,
the mean of the last window, of the lowest tenth of the windows, or the lowest window. Self-certainty (Kang et al. 2025,
arXiv 2502.18581) is the mean with k = the vocabulary, less the logarithm of its size: the divergence from chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import fmean
from typing import Annotated

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import OneOf, PositiveInt, PositiveProbability, settings
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier

MEASURES: dict[str, Callable[[Sequence[float], float], float]] = {
    "mean": lambda groups, share: fmean(groups),
    "tail": lambda groups, share: groups[-1],
    "bottom": lambda groups, share: fmean(sorted(groups)[: max(1, int(share * len(groups)))]),
    "lowest": lambda groups, share: min(groups),
}
"""From the means of the windows, in order, and a share of them, to a trace's confidence."""


@settings
class Confidence(BaseVerifier):
    """Scores a solution, or a prefix, by the confidence of its tokens; any positive number, higher is surer.

    Args:
        measure: A key of `MEASURES`.
        window: Tokens of a group; a shorter whole solution is one group, a shorter prefix has no score yet. `mean` is over
            tokens and has no groups.
        share: The share of the groups that `bottom` averages.
        vocabulary: Its size, to subtract its logarithm: with `measure=mean` and `policy.top_logprobs` of the same size the
            score is the self-certainty. None subtracts nothing.
    """

    traits = VerifierTraits(lacks=("steps", "critiques"), logprobs=True)

    def __init__(
        self,
        measure: Annotated[str, OneOf(MEASURES)] = "bottom",
        window: PositiveInt = 2048,
        share: PositiveProbability = 0.1,
        vocabulary: PositiveInt | None = None,
    ) -> None:
        self._measure = MEASURES[measure]
        self._window = 1 if measure == "mean" else window
        self._share = share
        self._chance = math.log(vocabulary or 1)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns one score, None for a solution without tokens and for a prefix that does not fill a window.

        The mean of less than a window can rise as the solution grows, so it cannot be compared with that of whole ones.
        """
        begun = solution.finish_reason == "step" and len(solution.trace) < self._window
        groups = [] if begun else windows([token.confidence for token in solution.trace], self._window)
        score = self._measure(groups, self._share) - self._chance if groups else None
        return Verdict((score,), (Vote((score,)),), "last")


def windows(values: Sequence[float], size: int) -> list[float]:
    """Returns the means of all windows of a size, in order; of all values if there are no more."""
    size = min(size, len(values))
    sums = [0.0, *accumulate(values)]
    return [(end - start) / size for start, end in zip(sums, sums[size:], strict=False)] if size else []
