"""Chat formats: how a conversation is rendered as the text that a model was trained on.

Published models need their own format byte for byte, whatever engine serves them, so the formats of the families that
the presets name are written out here. `TEMPLATE` uses the chat template in the model's tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tts.core import Message
from tts.core.constraints import OneOf
from tts.core.setting_error import refused
from tts.engines.base import kind_of
from tts.engines.generating import Engine, sends_messages


@dataclass(frozen=True)
class ChatFormat:
    """Text around the turns of a conversation.

    Attributes:
        start: Text that opens every conversation (the begin-of-text token).
        system: Text around a system turn, with `{}` for its content; None if the format has no system turn, whose
            content then goes in front of the first user turn.
        user: Text around a user turn.
        assistant: Text around a finished assistant turn.
        answer: Text that opens the assistant turn to be generated.
    """

    start: str
    system: str | None
    user: str
    assistant: str
    answer: str

    def render(self, messages: Sequence[Message], *, answer: bool = True) -> str:
        """Renders a conversation.

        Args:
            messages: Turns in order; at most one system turn, the first.
            answer: Whether to open an assistant turn at the end.
        """
        wrap = {"system": self.system, "user": self.user, "assistant": self.assistant}
        turns = list(messages)
        if self.system is None and turns and turns[0]["role"] == "system":
            head, first, *rest = turns
            turns = [{**first, "content": f"{head['content']}\n\n{first['content']}"}, *rest]
        # str.replace, not str.format: contents are full of braces.
        body = "".join((wrap[turn["role"]] or "{}").replace("{}", turn["content"], 1) for turn in turns)
        return self.start + body + (self.answer if answer else "")


FORMATS = {
    # DeepSeek-R1-Distill, and therefore GenPRM; the plain form without the `<think>` that later templates force.
    "deepseek-r1": ChatFormat(
        start="<｜begin▁of▁sentence｜>",
        system="{}",
        user="<｜User｜>{}",
        assistant="<｜Assistant｜>{}<｜end▁of▁sentence｜>",
        answer="<｜Assistant｜>",
    ),
    # Qwen2.5 and Qwen2.5-Math.
    "chatml": ChatFormat(
        start="",
        system="<|im_start|>system\n{}<|im_end|>\n",
        user="<|im_start|>user\n{}<|im_end|>\n",
        assistant="<|im_start|>assistant\n{}<|im_end|>\n",
        answer="<|im_start|>assistant\n",
    ),
    "llama-3": ChatFormat(
        start="<|begin_of_text|>",
        system="<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        user="<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
        assistant="<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        answer="<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "gemma-3": ChatFormat(
        start="<bos>",
        system=None,
        user="<start_of_turn>user\n{}<end_of_turn>\n",
        assistant="<start_of_turn>model\n{}<end_of_turn>\n",
        answer="<start_of_turn>model\n",
    ),
    # No chat: the turns' texts unchanged, for models that were trained to continue text.
    "plain": ChatFormat(start="", system="{}", user="{}", assistant="{}", answer=""),
}

TEMPLATE = "template"
"""Names the chat template of the model's own tokenizer."""

ChatName = Annotated[str, OneOf((*FORMATS, TEMPLATE))]
"""A setting that names a chat format."""


def render(name: str, messages: Sequence[Message], engine: Engine, *, answer: bool = True) -> str:
    """Renders a conversation up to where the assistant's answer begins.

    Args:
        name: A key of `FORMATS`, or `TEMPLATE`.
        messages: Turns in order.
        engine: The engine whose tokenizer holds the template; used only for `TEMPLATE`.
        answer: Whether to open the assistant's turn.

    Raises:
        UserError: `name` is `TEMPLATE` and the model has no template, or it is not and the engine sends messages.
    """
    if name == TEMPLATE:
        return engine.render([dict(message) for message in messages], answer=answer)
    if sends_messages(engine):
        raise refused(
            "chat", name, f"{kind_of(engine)} sends messages and leaves their format to the server; set chat=template"
        )
    return FORMATS[name].render(messages, answer=answer)
