"""The two shapes of answers: of chats and of completions, whole and in chunks."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import ClassVar

from tts.core.json import Json, JsonObject
from tts.serve.answers import Answer, outcome_of, usage_of
from tts.serve.requests import Detail
from tts.serve.service import Served


@dataclass(frozen=True)
class Form:
    """The shape of one request's answer; subclasses say how a choice looks, and how much a stream tells by default.

    Attributes:
        model: The model that was asked for.
        id: Identifies the answer.
        created: Seconds since 1970.
    """

    kind: ClassVar[str]
    chunk_kind: ClassVar[str]
    prefix: ClassVar[str]
    reasoning: ClassVar[Detail]

    model: str
    id: str = field(default="")
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        """Makes an id."""
        object.__setattr__(self, "id", f"{self.prefix}-{uuid.uuid4().hex}")

    def choice(self, answer: Answer, reasoning: str) -> JsonObject:
        """Returns what a whole answer's choice holds."""
        raise NotImplementedError

    def piece(self, text: str) -> JsonObject:
        """Returns what a chunk's choice holds."""
        raise NotImplementedError

    def opening(self, index: int = 0) -> JsonObject:
        """Returns the first chunk of a choice; that of the first choice is sent at once."""
        return self.chunk(self.piece(""), index)

    def thought(self, text: str, event: JsonObject | None) -> JsonObject:
        """Returns a chunk that tells of the search.

        Args:
            text: What is told.
            event: The event itself, for programs; None for none.
        """
        raise NotImplementedError

    def whole(self, served: Served, reasoning: str = "") -> JsonObject:
        """Returns the whole answer.

        Args:
            served: The answer.
            reasoning: What is told of the search.
        """
        choices: list[Json] = [
            {**self.choice(answer, reasoning), "index": index, "finish_reason": answer.reason, "logprobs": None}
            for index, answer in enumerate(served.answers)
        ]
        return {
            **self._head(self.kind),
            "choices": choices,
            "usage": usage_of(served.usage, served.answers),
            "tts": outcome_of(served.result),
        }

    def chunk(self, piece: JsonObject, index: int = 0, reason: str | None = None) -> JsonObject:
        """Returns a chunk of one choice."""
        choice: JsonObject = {**piece, "index": index, "finish_reason": reason, "logprobs": None}
        return {**self._head(self.chunk_kind), "choices": [choice]}

    def answers(self, served: Served) -> list[JsonObject]:
        """Returns the chunks of the answers; the last one says what the search found."""
        chunks = []
        for index, answer in enumerate(served.answers):
            if index:
                chunks.append(self.opening(index))
            chunks.append(self.chunk(self.piece(answer.text), index))
            chunks.append(self.chunk(self.piece(""), index, answer.reason))
        chunks[-1]["tts"] = outcome_of(served.result)
        return chunks

    def cost(self, served: Served) -> JsonObject:
        """Returns the chunk after all choices, for who asks for the usage."""
        return {**self._head(self.chunk_kind), "choices": [], "usage": usage_of(served.usage, served.answers)}

    def _head(self, kind: str) -> JsonObject:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class ChatForm(Form):
    """Of `/v1/chat/completions`."""

    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"
    prefix = "chatcmpl"
    reasoning = "summary"

    def choice(self, answer: Answer, reasoning: str) -> JsonObject:
        """Returns a message."""
        told: JsonObject = {"reasoning_content": reasoning} if reasoning else {}
        return {"message": {"role": "assistant", "content": answer.text, "refusal": None, **told}}

    def piece(self, text: str) -> JsonObject:
        """Returns a part of a message."""
        return {"delta": {"content": text} if text else {}}

    def opening(self, index: int = 0) -> JsonObject:
        """Returns the role."""
        return self.chunk({"delta": {"role": "assistant", "content": ""}}, index)

    def thought(self, text: str, event: JsonObject | None) -> JsonObject:
        """Returns reasoning."""
        told: JsonObject = {"tts": {"event": event}} if event is not None else {}
        return {**self.chunk({"delta": {"reasoning_content": text}}), **told}


class TextForm(Form):
    """Of `/v1/completions`, whose answers have no place for reasoning."""

    kind = chunk_kind = "text_completion"
    prefix = "cmpl"
    reasoning = "none"

    def choice(self, answer: Answer, reasoning: str) -> JsonObject:
        """Returns a text."""
        return self.piece(answer.text)

    def piece(self, text: str) -> JsonObject:
        """Returns a text."""
        return {"text": text}
