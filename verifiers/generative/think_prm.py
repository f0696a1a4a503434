"""ThinkPRM: thinks about every step in a long chain, then says whether the solution is correct.

Source: arXiv 2504.16828; `prm/thinkprm_api.py` and `utils/helper.py` of mukhal/ThinkPRM. The strings are exact. Different
from the official code: the step that may not be verified since it does not exist is the one behind the last step and not
the one behind the greatest step number as a string (which is 9 of 10 steps); a decision that cannot be read is None and not
incorrect; the probabilities at the slot are compared as they are, where sglang's `choices` averages over the tokens around.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.core import Conversation, Problem
from tts.core.settings import Text, settings
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import Slot

PROMPT = """You are given a math problem and a proposed step-by-step solution:

[Math Problem]

{problem}

[Solution]

{solution}

Review and critique each step in the proposed solution to determine whether each step is correct. \
If the solution is incomplete, only verify the provided steps."""

OPENING = "\nLet's verify step by step:"
QUESTION = "Is the solution correct?"

_NUMBER = re.compile(r"Step \d+:")


@settings
class ThinkPRM(Grammar):
    """ThinkPRM's format, for the models launch/ThinkPRM-1.5B, -7B and -14B.

    The score is p(yes) / (p(yes) + p(no)) behind "Is the solution correct?", of a solution or of its beginning.

    Args:
        per_step: Whether every beginning of the solution is judged, which gives a score per step at as many times the
            cost; else the solution has the one score that is published, and a search over steps ranks by it.
        positive: The word for a correct solution; the official code reads " yes" and " no", the training data say " Yes" and
            " No".
        negative: The word for an incorrect one.
    """

    aggregator = "last"
    opening = OPENING

    def __init__(self, per_step: bool = False, positive: Text = " yes", negative: Text = " no") -> None:
        self.per_step = per_step
        self.lacks = () if per_step else ("steps",)
        self.slot = Slot(positive, negative)

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks for a review of all steps, numbered from 1; numbers of the policy's own are taken off."""
        bare = [_NUMBER.sub("", step.replace("## Step", "Step")).strip() for step in steps]
        solution = "\n".join(f"Step {number}: {step}" for number, step in enumerate(bare, 1))
        return [{"role": "user", "content": PROMPT.format(problem=problem.text, solution=solution)}]

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Ends a round with the decision, the end of thinking, or a step that does not exist."""
        return (QUESTION, "</think>", f"Step {len(steps) + 1}:")

    def continued(self, text: str, trigger: str) -> str:
        """Makes the model think on by a phrase that follows without a break, as in the official code."""
        return text + trigger

    def concluded(self, text: str, stop: str | None) -> str:
        """Asks for the decision, however the thinking ended."""
        return f"{text}\n{QUESTION}"
