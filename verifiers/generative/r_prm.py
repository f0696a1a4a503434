"""R-PRM: judges one step in five analyses and a conclusion.

Source: arXiv 2503.21295; `src/evaluate/GenPRM/evaluate-PRM-CoT.py` of NJUNLP/R-PRM at e3dd605; `r_prm.txt` is its prompt.
Different from the official code: the analysis is read as the model wrote it, while the official code strips its lines; and
after `<|im_end|>` and `assistant` stand newlines, where its prompt file for Qwen has the two characters backslash and "n".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tts.core import Conversation, Problem
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import Slot

PROMPT = Path(__file__).with_suffix(".txt").read_text("utf-8")
SYSTEM = "You are a helpful assistant."
NO_STEPS = "Since the Now Step is the first step, there are no Previous Steps."
QUESTION = "Is the step correct (Yes/No)?"
LATE_QUESTION = "\nBased on your analysis. Is the answer correct (Yes/No)?"

_NUMBER = re.compile(r"\A\s*Step \d+:\s*")


class RPRM(Grammar):
    """R-PRM's format, for the models kevinpro/R-PRM-7B-SFT and -DPO: each step is judged without the others' analyses.

    The score is p(" Yes") / (p(" Yes") + p(" No")) after the first "Is the step correct (Yes/No)?". After an analysis that
    ends without this question another question is appended, as in the official code.
    """

    per_step = True
    # Guided search ranks candidates by the reward of their newest step.
    aggregator = "last"
    slot = Slot(" Yes", " No")
    question = QUESTION

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks for the five analyses of the last of `steps`; step numbers written by the policy are removed."""
        *previous, now = (f"Step {k}: {_NUMBER.sub('', step, count=1)}" for k, step in enumerate(steps, 1))
        asked = PROMPT.format(problem.text, "\n".join(previous) or NO_STEPS, now)
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Ends the analysis at the model's own question for the decision."""
        return (QUESTION,)

    def continued(self, text: str, trigger: str) -> str:
        """Removes the heading of the postponed decision."""
        return super().continued(text.rstrip().removesuffix("Verification:"), trigger)

    def concluded(self, text: str, stop: str | None) -> str:
        """Asks for the decision with the model's own question, or with another one if it did not reach it."""
        return text + (QUESTION if stop else LATE_QUESTION)
