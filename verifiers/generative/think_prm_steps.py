r"""ThinkPRM's verdicts on single steps, as its chain of thought writes them: "The step is \boxed{correct}".

Source: arXiv 2504.16828; `LongThoughtCritiqueDataset` in `dataset/prm_dataset.py` of mukhal/ThinkPRM at 214cce9, which picks
by these words what the models are trained on. The published score of a solution is another one: `think_prm`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.core import Vote
from verifiers.generative.think_prm import ThinkPRM

_DECISION = re.compile(r"\\boxed\{(?:\\text\{)?\s*(correct|incorrect)\s*\}")


class ThinkPRMSteps(ThinkPRM):
    """ThinkPRM's format, read step by step: all steps are judged by one chain, at the cost of the one published score.

    A step that is called correct has the score 1, one that is called incorrect 0. The models were taught to end with the
    first incorrect step: then the vote ends there, and of the steps behind it says nothing. A chain whose verdicts are
    neither that nor one for every step is a vote without scores; such chains are left out of the training data as well.
    The chain stands as critique at the step that the vote ends with.
    """

    # Of 1 and 0: whether any step is called incorrect.
    aggregator = "min"
    triggers = ()  # a second round would go through the steps again, and not say where it begins

    def __init__(self) -> None:
        super().__init__()
        self.slot = None
        self.lacks = ()

    def read(self, text: str, steps: Sequence[str]) -> Vote:
        """Reads the verdicts in their order."""
        said = tuple(float(word == "correct") for word in _DECISION.findall(text))
        until_error = len(said) < len(steps) and 0.0 in said and said.index(0.0) == len(said) - 1
        scores = said if until_error or len(said) == len(steps) else (None,) * len(steps)
        return Vote(scores, (*("",) * (len(scores) - 1), text))
