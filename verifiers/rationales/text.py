"""Rationales in one completion: any model is asked in a format's words, and what it writes is read and put in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tts.core import Conversation, Problem
from tts.core.rationale import Judged, Rationale
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveProbability,
    settings,
)
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Engine, Sampling
from tts.engines.seeded import SeededSampler
from verifiers.rationales.base import BaseWriter, Unusable, dropped, finished


@dataclass(frozen=True)
class Reading:
    """What a text says.

    Attributes:
        text: The assistant's turn of the training conversation.
        judged: What it says of the steps.
        verdict: What it says of the solution or of its step, if that does not follow from all steps.
    """

    text: str
    judged: Judged
    verdict: bool | None = None


class Format(ABC):
    """How rationales of a published format are asked for, read and written down.

    Attributes:
        by_step: Whether a rationale is about one step, the last of those shown.
    """

    by_step: bool = False

    @abstractmethod
    def asked(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns what the writer is asked.

        Raises:
            ProblemError: The problem lacks something that the format shows.
        """

    @abstractmethod
    def shown(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns what the trained verifier is asked: the training conversation without the assistant's turn."""

    @abstractmethod
    def read(self, text: str, steps: Sequence[str]) -> Reading:
        """Reads what the writer wrote.

        Raises:
            Unusable: It is not in the format.
        """


@settings
class TextWriter(BaseWriter):
    """Has a rationale written in one completion.

    Args:
        engine: The model.
        format: The format.
        chat: Chat format of the model.
        temperature: Sampling temperature.
        top_p: Nucleus sampling threshold.
        top_k: 0 disables it.
        repetition_penalty: 1 disables it.
        max_tokens: Bound of the completion.
        seed: The run's seed.
    """

    def __init__(
        self,
        engine: Engine,
        format: Format,
        chat: ChatName = TEMPLATE,
        temperature: NonNegativeFloat = 1.0,
        top_p: PositiveProbability = 1.0,
        top_k: NonNegativeInt = 0,
        repetition_penalty: PositiveFloat = 1.0,
        max_tokens: PositiveInt = 8192,
        seed: int = 0,
    ) -> None:
        self._client = SeededSampler(engine, seed)
        self._format, self._chat = format, chat
        self._sampling = Sampling(max_tokens, temperature, top_p, top_k, repetition_penalty)
        self.by_step = format.by_step

    def check(self) -> None:
        """Raises UserError if the model lacks the requested chat template."""
        render(self._chat, [{"role": "user", "content": ""}], self._client.engine)

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of the completion."""
        return self._sampling.max_tokens

    def preview(self, problem: Problem, steps: Sequence[str]) -> str:
        """Returns the prompt, with a mark where the completion begins."""
        return render(self._chat, self._format.asked(problem, steps), self._client.engine) + "⟦…⟧"

    async def write(self, problem: Problem, steps: Sequence[str], sample: int) -> Rationale:
        """Writes a rationale."""
        asked = self._format.asked(problem, steps)
        prompt = render(self._chat, asked, self._client.engine)
        completion = await self._client.complete(prompt, self._sampling, sample)
        try:
            if completion.finish_reason == "length":
                raise Unusable("cut")
            found = self._format.read(completion.text, steps)
        except Unusable as fault:
            return dropped(asked, completion.text, fault.reason)
        messages = (*self._format.shown(problem, steps), {"role": "assistant", "content": found.text})
        return await finished(self._client.engine, messages, found.judged, found.verdict)
