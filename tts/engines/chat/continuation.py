"""Ways in which servers continue the beginning of an assistant's turn, instead of answering it with another turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tts.core.json import Json, JsonObject
from tts.engines.conversation import Asked

StyleName = Literal["continue_final_message", "prefix", "assistant"]
"""`continue_final_message`: vLLM, SGLang. `prefix`: DeepSeek's beta endpoint, Mistral. `assistant`: a last message of the
assistant, as Anthropic's compatible endpoint, OpenRouter and Ollama continue it."""


@dataclass(frozen=True)
class Style:
    """What a request says to have the last message continued.

    Attributes:
        message: Fields of the assistant's message.
        body: Fields of the request.
    """

    message: JsonObject = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)

    def written(self, asked: Asked) -> JsonObject:
        """Returns the fields of a request that asks for the rest of a turn."""
        begun: JsonObject = {"role": "assistant", "content": asked.prefix, **self.message}
        return {"messages": [*_messages(asked), begun], **self.body}


STYLES: Mapping[StyleName, Style] = {
    "continue_final_message": Style(body={"continue_final_message": True, "add_generation_prompt": False}),
    "prefix": Style(message={"prefix": True}),
    "assistant": Style(),
}
"""In the order in which they are tried: a server that reads none of the flags may still continue the last message."""


def opened(asked: Asked) -> JsonObject:
    """Returns the fields of a request for a new turn."""
    return {"messages": _messages(asked)}


def _messages(asked: Asked) -> list[Json]:
    return [dict(message) for message in asked.messages]
