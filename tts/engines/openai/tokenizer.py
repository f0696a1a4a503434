"""The tokenizer that a configuration names for a served model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tts.core.errors import UserError
from tts.core.settings import refused
from tts.engines.local.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class NamedTokenizer:
    """A tokenizer, loaded when it is first needed.

    Args:
        name: Its path or hub id; None if none is named.
        model: The model's served name, for messages.
    """

    def __init__(self, name: str | None, model: str) -> None:
        self._name = name
        self._model = model
        self._loaded: PreTrainedTokenizerBase | None = None
        self._template: ChatTemplate | None = None

    def load(self) -> None:
        """Loads it.

        Raises:
            SettingError: It cannot be loaded.
        """
        if self._name is None or self._loaded is not None:
            return
        from transformers import AutoTokenizer

        try:
            self._loaded = AutoTokenizer.from_pretrained(self._name, trust_remote_code=False)
        except Exception as error:  # whatever a broken file leads to
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise refused("tokenizer", self._name, f"cannot be loaded ({reason})") from None

    @property
    def begin(self) -> str | None:
        """The begin-of-text token, spelled out; None if there is none, or nothing is loaded."""
        return None if self._loaded is None else self._loaded.bos_token

    def count(self, text: str) -> int | None:
        """Returns the number of tokens, without special tokens added; None if nothing is loaded."""
        ids = self.encode(text)
        return None if ids is None else len(ids)

    def encode(self, text: str) -> list[int] | None:
        """Returns the token ids, without special tokens added; None if nothing is loaded."""
        if self._loaded is None:
            return None
        ids: list[int] = self._loaded.encode(text, add_special_tokens=False)
        return ids

    def render(self, messages: list[dict[str, str]], *, answer: bool) -> str:
        """Renders a conversation with its chat template, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: There is no chat template, or it refuses the conversation, fails, or takes too much time or memory.
        """
        self.load()
        if self._loaded is None or not self._loaded.chat_template:
            raise UserError(
                f"no chat template is known for '{self._model}': name a chat format (chat=chatml, llama-3, ...) "
                "or set the engine's tokenizer=PATH_OR_HUB_ID"
            )
        if self._template is None:
            self._template = ChatTemplate(self._loaded, self._model)
        return self._template.render(messages, answer=answer)
