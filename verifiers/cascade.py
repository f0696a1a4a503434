"""A cascade: a cheap verifier first, then the next one for steps that it is unsure about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import MinLen

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import Aggregator
from tts.core.settings import Probability, refused, settings
from tts.core.verifier import Verifier
from verifiers.combinator import Combinator, score_at
from verifiers.parts import parts_of
from verifiers.stepwise import beginning, judged_steps
from verifiers.within_budget import gather_within_budget, require_any


@settings
class Cascade(Combinator):
    """Stages of verifiers: each judges the steps that the stages before it were unsure about.

    A step's score is that of the last stage that was used for it. A stage is unsure about a step if its score lies in the
    band or is missing. The next stage then judges the solution's prefix up to the last such step, since it needs the
    context; its scores of steps that an earlier stage was sure about are ignored, so that a step's score never depends on
    later steps. A stage that judged fewer steps keeps its last score for later steps.

    If the budget does not allow a later stage, the scores of the stages before it stand.

    Args:
        stages: The verifiers by name, the cheapest first.
        unsure: The lowest and the highest score of the band, inclusive; None: unsure only if there is no score. GenPRM's
            ladder with threshold tau is [tau, 1 - tau].
        aggregator: How step scores are combined into the solution's score.
    """

    def __init__(
        self,
        stages: Annotated[Mapping[str, Verifier], MinLen(1)],
        unsure: tuple[Probability, Probability] | None = (0.2, 0.8),
        aggregator: Aggregator = "min",
    ) -> None:
        if unsure is not None and unsure[0] > unsure[1]:
            raise refused(
                "unsure", unsure, "the lowest score of the band comes first, then the highest, as in [0.2, 0.8]"
            )
        super().__init__(stages, "stages")
        self._unsure, self._aggregator = unsure, aggregator

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns each step's score by the last stage used for it; the state holds each stage's verdict, None if unused.

        Raises:
            LimitReached: The budget did not allow the first stage.
        """
        own = list(parts_of(prior, len(self.parts)))
        total = len(judged_steps(solution))
        scores: list[float | None] = [None] * total
        open_steps = list(range(total))
        for number, stage in enumerate(self.parts.values()):
            if not open_steps and number:
                break
            whole = number == 0 or "prefixes" in stage.traits.lacks
            asked = beginning(solution, total if whole else open_steps[-1] + 1)
            verdict = own[number]
            if verdict is None or len(verdict.scores) < len(judged_steps(asked)):
                (made,) = await gather_within_budget(stage.verify(problem, asked, verdict))
                if number == 0:
                    require_any([made])
                if made is not None:
                    verdict = own[number] = made
                else:  # its scores of steps that it judged before stand
                    judged = 0 if verdict is None else len(verdict.scores)
                    open_steps = [step for step in open_steps if step < judged]
            for step in open_steps:
                scores[step] = score_at(verdict, step)
            open_steps = [step for step in open_steps if self._is_unsure(scores[step])]
        votes = tuple(vote for verdict in own if verdict is not None for vote in verdict.votes)
        return Verdict(tuple(scores), votes, self._aggregator, tuple(own))

    def _is_unsure(self, score: float | None) -> bool:
        return score is None or (self._unsure is not None and self._unsure[0] <= score <= self._unsure[1])
