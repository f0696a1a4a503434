r"""ThinkPRM's verdicts on single steps, as its chain of thought writes them: "The step is \boxed{correct}".

Source: arXiv 2504.16828; `LongThoughtCritiqueDataset` in `dataset/prm_dataset.py` of mukhal/ThinkPRM at 214cce9, which
filters the training data by these words. The published score of a whole solution is in `think_prm`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.core import Vote
from verifiers.generative.think_prm import ThinkPRM

DECISION = re.compile(r"\\boxed\{(?:\\text\{)?\s*(correct|incorrect)\s*\}")


class ThinkPRMSteps(ThinkPRM):
    """ThinkPRM's format, read step by step: one chain judges all steps, at the cost of the published score.

    A step called correct scores 1, one called incorrect 0. The models were trained to end with the first incorrect step:
    the vote then ends there and does not score later steps. A chain whose verdicts neither end so nor cover every step is a
    vote without scores; such chains were excluded from the training data too. The chain is the critique of the vote's last
    step.
    """

    # The minimum of 1s and 0s: 0 if any step is called incorrect.
    aggregator = "min"
    triggers = ()  # a second round would repeat the steps without marking where it begins

    def __init__(self) -> None:
        super().__init__()
        self.slot = None
        self.lacks = ()

    def read(self, text: str, steps: Sequence[str]) -> Vote:
        """Reads the verdicts in order."""
        said = tuple(float(word == "correct") for word in DECISION.findall(text))
        until_error = len(said) < len(steps) and 0.0 in said and said.index(0.0) == len(said) - 1
        scores = said if until_error or len(said) == len(steps) else (None,) * len(steps)
        return Vote(scores, (*("",) * (len(scores) - 1), text))
