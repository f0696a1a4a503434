"""What tells the published formats of generative verifiers apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tts.core import Conversation, Problem, Verdict, Vote
from tts.core.traits import VerifierAbility
from verifiers.generative.slot import Slot

TRIGGERS = ("Let me double check", "Let's verify again", "Did I miss something?")
"""ThinkPRM's phrases that make a model think on (arXiv 2504.16828, `prm/thinkprm_api.py`); no other format publishes any."""


class Grammar(ABC):
    """A published format: what is sent, where the model's writing ends, how rounds go on, where the decision is read.

    A judgement is made of one or several rounds of writing, the first after `opening`, each further one after one of the
    `triggers`. Then the decision is read: at the `slot`, which follows `concluded`, or, in a format without one, by `read`
    from the text.

    Attributes:
        per_step: Whether every step is judged by a conversation of its own, which holds the steps up to it; else the
            solution, or its beginning, is judged as a whole.
        aggregator: The published way to make one score of the steps' scores.
        reasons: Whether the model writes before it decides; else the decision is read at once.
        triggers: The phrases between the rounds, one less than there can be rounds.
        slot: The two words that the decision is between, None where it is parsed.
        opening: How the model's turn begins.
        lacks: As in `tts.core.traits.VerifierTraits`.
    """

    per_step: bool
    aggregator: str
    reasons: bool = True
    triggers: tuple[str, ...] = TRIGGERS
    slot: Slot | None = None
    opening: str = ""
    lacks: tuple[VerifierAbility, ...] = ()

    @abstractmethod
    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns what the model is asked about `steps`: all of them, or the last one where steps are judged singly."""

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Returns the strings that end a round; they do not stay in the text."""
        return ()

    def continued(self, text: str, trigger: str) -> str:
        """Returns what the rounds have written so far, brought to where the model thinks on."""
        return f"{text.rstrip()}\n\n{trigger}"

    def concluded(self, text: str, stop: str | None) -> str:
        """Returns what has been written, brought to where the slot's word comes next.

        Args:
            text: The rounds and what stands between them.
            stop: The stop string that ended the last round, None where the model or the length did.
        """
        return text

    def read(self, text: str, steps: Sequence[str]) -> Vote:
        """Returns the decision of a format without a slot, with as many scores as steps were judged."""
        raise NotImplementedError

    def merged(self, verdict: Verdict) -> tuple[float | None, ...]:
        """Returns the step scores that all votes make together; the mean over the votes where nothing else is published."""
        return verdict.scores
