"""Rationales that a GenPRM writes about solutions as it judges them, in its own format."""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Problem, Solution
from tts.core.rationale import Rationale, Reason
from tts.core.settings import settings
from verifiers.generative.genprm import GenPRM
from verifiers.generative.genprm_turn import parse
from verifiers.rationales.base import BaseWriter, dropped, finished


@settings
class OwnGenPRM(BaseWriter):
    """Makes training conversations of a GenPRM's judgements: its next generation learns from those that are kept.

    A rationale is the chain of one vote through the whole solution; the words that it writes are its verdicts.

    Args:
        of: The GenPRM; its `votes` have no effect.
    """

    def __init__(self, of: GenPRM) -> None:
        self._of = of
        self.runs_code = of.traits.runs_code

    def check(self) -> None:
        """Raises UserError if the model cannot judge."""
        self._of.check()

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of one vote."""
        bound = self._of.token_bound(steps)
        return None if bound is None else bound // self._of.votes

    def preview(self, problem: Problem, steps: Sequence[str]) -> str:
        """Returns the prompt of the first request, with a mark where the completion begins."""
        return self._of.preview(problem, _solution(steps))

    async def write(self, problem: Problem, steps: Sequence[str], sample: int) -> Rationale:
        """Judges the steps with chain `sample`."""
        (vote,) = (await self._of.vote(problem, _solution(steps), sample)).votes
        messages = self._of.conversation(problem, steps, vote.critiques)
        judged = [turn.verdict for turn in map(parse, vote.critiques) if turn is not None]
        if len(judged) < len(steps):
            reason: Reason = "undecided" if None in vote.scores else "malformed"
            return dropped(messages[:-1], messages[-1]["content"], reason)
        return await finished(self._of.engine, messages, tuple(judged))


def _solution(steps: Sequence[str]) -> Solution:
    return Solution("\n\n".join(steps), tuple(steps), "stop")
