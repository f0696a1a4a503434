"""Direct generative judgement: Yes or No for each step, without reasoning.

Steps are the user turns of one conversation, in which all steps before the judged one are marked right: the training format
of RLHFlow's process reward models (RLHFlow/RLHF-Reward-Modeling, math-rm, at fc39179). The default words suit any
instruction-tuned model and use the system prompt of GenPRM's direct mode (RyanLiu112/GenPRM at cc80f47).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from tts.core import Conversation, Problem
from tts.core.settings import Must, Text, refused, settings
from verifiers.generative.genprm_format import SYSTEM_DIRECT
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import Slot

_PLACES = re.compile(r"\{(problem|step)\}")


_HOLDS_BOTH = Must(
    lambda turn: turn.count("{problem}") == turn.count("{step}") == 1, "it must hold {problem} and {step} once each"
)


@settings
class Direct(Grammar):
    """A score per step from one token: p(yes) / (p(yes) + p(no)).

    Args:
        system: The system prompt, None for none.
        first_turn: The first user turn; contains `{problem}` and `{step}`. Later turns are just the steps.
        opening: Text before the word in the model's turn.
        positive: The word for a right step.
        negative: The word for a wrong step.
        closing: Text after the word in the turns of earlier steps.
    """

    per_step = True
    aggregator = "min"
    reasons = False
    lacks = ("critiques",)

    def __init__(
        self,
        system: str | None = SYSTEM_DIRECT,
        first_turn: Annotated[str, _HOLDS_BOTH] = "Question: {problem}\n\n{step}",
        opening: str = "\\boxed{",
        positive: Text = "Yes",
        negative: Text = "No",
        closing: str = "}",
    ) -> None:
        if positive.startswith(negative) or negative.startswith(positive):
            raise refused("positive", positive, f"it and negative={negative} must not be prefixes of each other")
        self._system = [{"role": "system", "content": system}] if system else []
        self._first_turn = first_turn
        self.opening = opening
        self.slot = Slot(positive, negative)
        self._right = {"role": "assistant", "content": opening + positive + closing}

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Shows the steps one by one, with all but the last judged right."""
        parts = {"problem": problem.text, "step": steps[0]}
        first = _PLACES.sub(lambda place: parts[place[1]], self._first_turn)
        turns = [*self._system, {"role": "user", "content": first}]
        for step in steps[1:]:
            turns += [self._right, {"role": "user", "content": step}]
        return turns
