"""ThinkPRM: reasons about every step in a long chain, then says whether the solution is correct.

Source: arXiv 2504.16828; `prm/thinkprm_api.py` and `utils/helper.py` of mukhal/ThinkPRM. The strings are exact. Differences
from the official code: the nonexistent step that stops the chain is the one after the last step instead of the one after
the greatest step number by string order (9 among 10 steps); an unreadable decision is None instead of incorrect; the
probabilities at the slot are compared directly, while sglang's `choices` averages over the tokens around it.
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

    The score is p(yes) / (p(yes) + p(no)) after "Is the solution correct?", for a solution or its prefix.

    Args:
        per_step: Whether every prefix of the solution is judged, which gives a score per step and multiplies the cost by
            the number of steps; otherwise the solution gets the one published score, and a search over steps ranks by it.
        positive: The word for a correct solution; the official code reads " yes" and " no", the training data use " Yes"
            and " No".
        negative: The word for an incorrect one.
    """

    aggregator = "last"
    opening = OPENING
    question = QUESTION

    def __init__(self, per_step: bool = False, positive: Text = " yes", negative: Text = " no") -> None:
        self.per_step = per_step
        self.lacks = () if per_step else ("steps",)
        self.slot = Slot(positive, negative)

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks for a review of all steps."""
        return [{"role": "user", "content": PROMPT.format(problem=problem.text, solution=self.numbered(steps))}]

    def numbered(self, steps: Sequence[str]) -> str:
        """Returns the steps as one text, numbered from 1; step numbers written by the policy are removed."""
        bare = [_NUMBER.sub("", step.replace("## Step", "Step")).strip() for step in steps]
        return "\n".join(f"Step {number}: {step}" for number, step in enumerate(bare, 1))

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Ends a round at the decision, the end of thinking, or a nonexistent step."""
        return (QUESTION, "</think>", f"Step {len(steps) + 1}:")

    def continued(self, text: str, trigger: str) -> str:
        """Appends the trigger without a line break, as in the official code."""
        return text + trigger

    def concluded(self, text: str, stop: str | None) -> str:
        """Asks for the decision, regardless of how the round ended."""
        return f"{text}\n{QUESTION}"
