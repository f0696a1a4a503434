"""Several verifiers at once: the weighted mean of their step scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from annotated_types import MinLen

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import Aggregator
from tts.core.settings import PositiveFloat, SettingError, settings
from tts.core.verifier import Verifier
from verifiers.combinator import Combinator, score_at
from verifiers.parts import parts_of
from verifiers.stepwise import judged_steps
from verifiers.within_budget import gather_within_budget, require_any


@settings
class Ensemble(Combinator):
    """Scores every step by the weighted mean over its members.

    A member without a score for a step is left out of its mean; if all are, the step has no score. A member that judged
    fewer steps (it stopped at an error, or scores whole solutions) keeps its last score for later steps.

    Args:
        members: The verifiers, by name.
        weights: A positive weight for every member; None for equal weights. Only their ratios matter.
        aggregator: How step scores are combined into the solution's score.
    """

    def __init__(
        self,
        members: Annotated[Mapping[str, Verifier], MinLen(1)],
        weights: Mapping[str, PositiveFloat] | None = None,
        aggregator: Aggregator = "min",
    ) -> None:
        super().__init__(members, "members")
        self._weights = _weights(list(members), weights)
        self._aggregator = aggregator

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the weighted mean of the members' verdicts, which are computed concurrently and stored in the state.

        Raises:
            LimitReached: The budget did not allow a single member's verdict; if it allowed some, those count.
        """
        priors = parts_of(prior, len(self.parts))
        verdicts = await gather_within_budget(
            *(part.verify(problem, solution, own) for part, own in zip(self.parts.values(), priors, strict=True))
        )
        scores = tuple(
            _weighted_mean([score_at(verdict, step) for verdict in verdicts], self._weights)
            for step in range(len(judged_steps(solution)))
        )
        votes = tuple(vote for verdict in require_any(verdicts) for vote in verdict.votes)
        return Verdict(scores, votes, self._aggregator, tuple(verdicts))


def _weights(members: list[str], weights: Mapping[str, float] | None) -> list[float]:
    """Returns the members' weights, normalised to sum to 1.

    Raises:
        SettingError: A member has no weight, or a weight names no member.
    """
    if weights is None:
        return [1 / len(members)] * len(members)
    for name in (*members, *weights):
        if name not in weights:
            raise SettingError(f"weights.{name}", "set the weight of that member")
        if name not in members:
            raise SettingError(f"weights.{name}", f"no such member; there are {', '.join(members)}")
    largest = max(weights.values())  # divides first, since the sum of finite weights may overflow
    total = math.fsum(weight / largest for weight in weights.values())
    return [weights[name] / largest / total for name in members]


def _weighted_mean(scores: list[float | None], weights: list[float]) -> float | None:
    there = [(weight, score) for weight, score in zip(weights, scores, strict=True) if score is not None]
    total = math.fsum(weight for weight, _ in there)
    return math.fsum(weight / total * score for weight, score in there) if there else None
