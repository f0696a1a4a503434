"""A checkpoint's tokenizer for engines in this process."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from tts.core.errors import UserError
from tts.engines.local.checkpoint import load_tokenizer
from tts.engines.local.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_COUNTED = 1024
"""Texts whose number of tokens is remembered: more than the steps that are judged at a time."""


class LocalTokenizer:
    """Splits text into tokens and renders chats; loads the tokenizer when first used. Thread-safe.

    Args:
        model: A directory or a hub id.
        revision: The hub revision.
    """

    def __init__(self, model: str, revision: str | None) -> None:
        self._model = model
        self._revision = revision
        # Also held during use: transformers' fast tokenizers refuse to be used by two threads at a time.
        self._lock = threading.RLock()
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._template: ChatTemplate | None = None
        # A verifier counts tokens before each of its requests, and several votes often begin with the same text.
        self.count = lru_cache(maxsize=_COUNTED)(lambda text: len(self.split(text)))
        """Returns the number of tokens of a text, without special tokens added."""

    def load(self) -> PreTrainedTokenizerBase:
        """Returns transformers' tokenizer.

        Raises:
            UserError: There is none.
        """
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = load_tokenizer(self._model, self._revision)
            return self._tokenizer

    def split(self, text: str) -> list[int]:
        """Returns the token ids of `text`, without special tokens added."""
        with self._lock:
            tokenizer = self.load()
            fast = tokenizer.backend_tokenizer if tokenizer.is_fast else None
            if fast is not None and fast.truncation is None and fast.padding is None:
                # Takes two thirds of the time of transformers' own call.
                ids: list[int] = fast.encode(text, add_special_tokens=False).ids
            else:
                ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            return ids

    def render(self, messages: list[dict[str, str]], *, answer: bool) -> str:
        """Renders a conversation with the tokenizer's chat template.

        Raises:
            UserError: There is no template, or it refuses the conversation, fails, or takes too much time or memory.
        """
        with self._lock:
            if self._template is None:
                tokenizer = self.load()
                if not tokenizer.chat_template:
                    raise UserError(
                        f"model: the tokenizer of '{self._model}' has no chat template; "
                        "choose a chat format in the policy's or verifier's config"
                    )
                self._template = ChatTemplate(tokenizer, self._model)
            return self._template.render(messages, answer=answer)
