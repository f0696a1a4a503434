"""The chat engine's prompts: a line of JSON with the messages, then the beginning of the assistant's turn.

Prompts are text everywhere in this project, so that seeds, banks and recordings need not know what a message is. This
is therefore the "chat template" of a server that keeps its own template to itself: whatever is appended to a rendered
conversation is the prefix that the model continues.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tts.core import Message
from tts.core.errors import EngineError
from tts.core.well_formed import well_formed


@dataclass(frozen=True)
class Asked:
    """What a prompt asks for.

    Attributes:
        messages: The conversation.
        prefix: The beginning of the assistant's turn; empty for a new turn.
    """

    messages: tuple[Message, ...]
    prefix: str = ""

    @property
    def text(self) -> str:
        """The texts of all turns, to estimate their length."""
        return "".join([*(message["content"] for message in self.messages), self.prefix])


def write_prompt(messages: Sequence[Message]) -> str:
    """Returns a conversation as a prompt whose assistant's turn is still empty."""
    return json.dumps([dict(message) for message in messages], ensure_ascii=False) + "\n"


def read_prompt(prompt: str) -> Asked:
    """Returns what a prompt asks for; the inverse of `write_prompt(messages) + prefix`.

    Raises:
        EngineError: The prompt was not rendered by the chat engine.
    """
    line, _, prefix = prompt.partition("\n")
    try:
        messages = json.loads(line)
        asked = tuple({"role": each["role"], "content": well_formed(each["content"])} for each in messages)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise EngineError(
            f"the chat engine sends messages, and this prompt is text ({prompt[:40]!r}): set chat=template"
        ) from None
    return Asked(asked, well_formed(prefix))
