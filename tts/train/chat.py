"""Conversations as tokens: the assistant's turns carry loss, with the token that ends each, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tts.core import Message
from tts.core.errors import UserError
from tts.engines.chat_format import FORMATS, TEMPLATE
from tts.engines.local_tokenizer import LocalTokenizer
from tts.train.sequences import IGNORED, Labelled

Span = tuple[int, int]
"""The offsets in a text at which a turn begins and ends."""


class Chat:
    """A chat format with the tokenizer of the model to train.

    Args:
        name: A key of `tts.engines.chat_format.FORMATS`, or `template` for the tokenizer's own.
        tokenizer: The tokenizer.

    Raises:
        UserError: The tokenizer is of a kind that does not tell where its tokens are in a text.
    """

    def __init__(self, name: str, tokenizer: LocalTokenizer) -> None:
        self._name, self._tokenizer = name, tokenizer
        loaded = tokenizer.load()
        if not loaded.is_fast:
            raise UserError("base: its tokenizer has no tokenizer.json, which tells where tokens are in a text")
        self._backend = loaded.backend_tokenizer
        added = loaded.added_tokens_decoder.items()
        self._special = {*loaded.all_special_ids, *(token for token, text in added if text.special)}
        self._eos: int | None = loaded.eos_token_id

    def check(self) -> None:
        """Raises UserError if the format's tags are no tokens of the tokenizer, or its template rewrites earlier turns."""
        messages = [
            {"role": role, "content": content}
            for role, content in (("system", "Judge."), ("user", "1"), ("assistant", "Yes"), ("user", "2"))
        ]
        text = self._render([*messages, {"role": "assistant", "content": "No"}], answer=False)
        ids = self._backend.encode(text, add_special_tokens=False).ids
        if self._name not in (TEMPLATE, "plain") and not self._special.intersection(ids):
            raise UserError(
                f"the tokenizer has none of the special tokens of the chat format {self._name}; choose the model that the "
                "format belongs to, a verifier with chat=template, or name the tokens in base.add_tokens"
            )
        self.encode([*messages, {"role": "assistant", "content": "No"}])

    def text(self, messages: Sequence[Message], known: int = 0) -> tuple[str, list[Span]]:
        """Renders a conversation, and finds its assistant's turns.

        Args:
            messages: Turns in order, the first of them not the assistant's.
            known: The number of turns at the beginning that are not looked for.

        Returns:
            The text, and where each assistant's turn is in it, from behind what opens it to the next turn.

        Raises:
            UserError: The template cannot render it, or shows a turn otherwise once another follows.
        """
        text = self._render(messages, answer=False)
        spans = []
        for number, message in enumerate(messages):
            if message["role"] != "assistant" or number < known:
                continue
            before = self._render(messages[:number], answer=True)
            after = self._render(messages[: number + 1], answer=False)
            if not (text.startswith(after) and after.startswith(before)):
                raise UserError(
                    "the chat template shows an assistant's turn otherwise once another turn follows (it may cut its "
                    "reasoning), so that it cannot be trained on; choose a chat format: verifier.chat=chatml, ..."
                )
            spans.append((len(before), len(after)))
        return text, spans

    def encode(self, messages: Sequence[Message], known: int = 0) -> Labelled:
        """Returns a conversation's tokens and labels.

        A turn ends with its last special token; what the template writes after that, such as a line break, is not
        generated, and carries no loss. In a format without such tokens the conversation ends with the tokenizer's.

        Args:
            messages: As for `text`.
            known: The number of turns at the beginning that carry no loss.

        Raises:
            UserError: As for `text`.
        """
        text, spans = self.text(messages, known)
        encoded = self._backend.encode(text, add_special_tokens=False)
        ids = list(encoded.ids)
        trained = np.zeros(len(ids) + 1, dtype=bool)
        for begin, end in spans:
            turn = [place for place, (a, b) in enumerate(encoded.offsets) if begin <= a and b <= end and a < end]
            ends = [place for place in turn if ids[place] in self._special]
            trained[[place for place in turn if not ends or place <= ends[-1]]] = True
            if not ends and end == len(text) and self._eos is not None:
                ids.append(self._eos)
                trained[-1] = True
        labels = [
            after if carries else IGNORED for (_, after), carries in zip(pairwise(ids), trained[1:], strict=False)
        ]
        return Labelled(np.array(ids, np.int32), np.array([*labels, IGNORED], np.int32))

    def _render(self, messages: Sequence[Message], *, answer: bool) -> str:
        if self._name == TEMPLATE:
            return self._tokenizer.render([dict(message) for message in messages], answer=answer)
        return FORMATS[self._name].render(messages, answer=answer)
