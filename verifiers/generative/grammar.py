"""The interface of the published formats of generative verifiers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tts.core import Conversation, Problem, Verdict, Vote
from tts.core.traits import VerifierAbility
from verifiers.generative.slot import Slot

TRIGGERS = ("Let me double check", "Let's verify again", "Did I miss something?")
"""ThinkPRM's phrases that make a model keep reasoning (arXiv 2504.16828, `prm/thinkprm_api.py`); other formats have none."""


class Grammar(ABC):
    """A published format: the prompt, where a round ends, how rounds continue, and where the decision is read.

    A judgement consists of one or more rounds of writing, the first after `opening`, each later one after one of the
    `triggers`. Then the decision is read: at the `slot`, which follows `concluded`, or, in a format without a slot, by
    `read` from the text.

    Attributes:
        per_step: Whether every step is judged in its own conversation, which holds the steps up to it; otherwise the
            solution, or its prefix, is judged as a whole.
        aggregator: The published aggregator of step scores.
        reasons: Whether the model writes before it decides; otherwise the decision is read directly.
        triggers: The phrases between the rounds, one fewer than the maximum number of rounds.
        slot: The two words of the decision, None if it is parsed from the text.
        opening: The beginning of the model's turn.
        question: The question that the slot answers; empty if the conversation has asked it.
        lacks: As in `tts.core.traits.VerifierTraits`.
    """

    per_step: bool
    aggregator: str
    reasons: bool = True
    triggers: tuple[str, ...] = TRIGGERS
    slot: Slot | None = None
    opening: str = ""
    question: str = ""
    lacks: tuple[VerifierAbility, ...] = ()

    @abstractmethod
    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns the conversation that asks about `steps`: all of them, or only the last if `per_step`."""

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Returns the strings that end a round; they are not kept in the text."""
        return ()

    def continued(self, text: str, trigger: str) -> str:
        """Returns the rounds' text so far, prepared for the next round."""
        return f"{text.rstrip()}\n\n{trigger}"

    def concluded(self, text: str, stop: str | None) -> str:
        """Returns the text so far, prepared so that the slot's word comes next.

        Args:
            text: The rounds and the text between them.
            stop: The stop string that ended the last round, None if the model or the length limit did.
        """
        return text

    def read(self, text: str, steps: Sequence[str]) -> Vote:
        """Returns the decision of a format without a slot, with as many scores as steps were judged."""
        raise NotImplementedError

    def merged(self, verdict: Verdict) -> tuple[float | None, ...]:
        """Returns the step scores of all votes combined; the mean over the votes unless another rule is published."""
        return verdict.scores
