"""R-PRM's rationales: five analyses of one step, a conclusion, and Yes or No.

Source: arXiv 2503.21295; `src/utils/operate-PRM-CoT-data_paired.py` of NJUNLP/R-PRM at a5fa675, whose checks these are: the
verdict occurs once and ends the text. The authors showed the first model one example beside the prompt
(`GenPRM-generate-verify-CoT-new3.txt`); here it is asked as the trained verifier is.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Conversation, Problem
from tts.core.settings import settings
from verifiers.generative.r_prm import QUESTION, RPRM
from verifiers.rationales.base import Unusable
from verifiers.rationales.text import Format, Reading

VERDICTS = {True: f"Verification: {QUESTION} Yes", False: f"Verification: {QUESTION} No"}
ANALYSES = tuple(
    f"{name} Analysis" for name in ("Previous Steps", "Now Step", "Data Source", "Consistency", "Calculation")
)


@settings
class RPRMAnalyses(Format):
    """R-PRM's format: its prompt, and the model's answer up to its verdict.

    Args:
        analyses: Whether all five analyses must be there, in their order; the official code does not look.
    """

    by_step = True

    def __init__(self, analyses: bool = True) -> None:
        self._analyses = ANALYSES if analyses else ()
        self._trained = RPRM()

    def asked(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks as R-PRM is asked."""
        return self._trained.conversation(problem, steps)

    def shown(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns R-PRM's own prompt."""
        return self._trained.conversation(problem, steps)

    def read(self, text: str, steps: Sequence[str]) -> Reading:
        """Reads the verdict at the end."""
        times = {verdict: text.count(words) for verdict, words in VERDICTS.items()}
        if all(times.values()):
            raise Unusable("contradiction")
        if not any(times.values()):
            raise Unusable("undecided")
        verdict = bool(times[True])
        kept = text.strip().rstrip(".")
        places = [text.find(name) for name in self._analyses]
        if times[verdict] > 1 or not kept.endswith(VERDICTS[verdict]) or -1 in places or places != sorted(places):
            raise Unusable("malformed")
        return Reading(kept, (*(None,) * (len(steps) - 1), verdict), verdict)
