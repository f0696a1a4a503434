"""From token ids to text, one token at a time, and the stop strings in it."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@cache
def _byte_alphabet() -> dict[str, int]:
    """Returns the byte that each character of a byte-level vocabulary stands for (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + i): byte for i, byte in enumerate(others)}


class Vocabulary:
    """The bytes and the text of each token id, each computed once. Special tokens are spelled out.

    Args:
        tokenizer: A transformers tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._added: dict[int, str] = {i: token.content for i, token in tokenizer.added_tokens_decoder.items()}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        decoder = json.dumps(json.loads(backend.to_str())["decoder"]) if backend is not None else ""
        self._byte_level = '"ByteLevel"' in decoder
        self._byte_fallback = '"ByteFallback"' in decoder
        # An ordinary token in front keeps decoders from treating the next one as the beginning of a text.
        self._anchor = next((i for i in range(len(tokenizer)) if i not in self._added and self._decode([i])), None)
        self._pieces: dict[int, bytes] = {}
        self._texts: dict[int, str | None] = {}

    def piece(self, token: int) -> bytes:
        """Returns the bytes of a token, possibly only a part of a character. Unknown ids have none."""
        if token not in self._pieces:
            self._pieces[token] = self._look_up(token)
        return self._pieces[token]

    def whole(self, token: int) -> str | None:
        """Returns the text of a token, or None if its bytes are not whole characters."""
        if token not in self._texts:
            try:
                self._texts[token] = self.piece(token).decode()
            except UnicodeDecodeError:
                self._texts[token] = None
        return self._texts[token]

    def text(self, token: int) -> str:
        """Returns the text of a token on its own; bytes that are not whole characters show as U+FFFD."""
        return self.piece(token).decode(errors="replace")

    def _look_up(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        name = self._tokenizer.convert_ids_to_tokens(token)
        if name is None:
            return b""
        if self._byte_level:
            return bytes(_byte_alphabet()[character] for character in name)
        if self._byte_fallback and (byte := _BYTE_TOKEN.fullmatch(name)):
            return bytes([int(byte[1], 16)])
        prefix = [] if self._anchor is None else [self._anchor]
        return self._decode([*prefix, token])[len(self._decode(prefix)) :].encode()

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


class TextStream:
    """The text of one completion as its tokens arrive.

    Args:
        vocabulary: The texts of the token ids.
        stops: Strings to look for.
    """

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str]) -> None:
        self.pieces: list[str] = []
        self._vocabulary = vocabulary
        self._stops = [stop for stop in stops if stop]
        self._reach = max((len(stop) for stop in self._stops), default=1) - 1
        self._tail = ""
        # Used only while a character's bytes are incomplete.
        self._decoder: codecs.IncrementalDecoder | None = None

    def push(self, token: int) -> bool:
        """Takes the next token and returns whether it completes a stop string.

        A character whose bytes are spread over tokens belongs to the last of these.
        """
        text = self._vocabulary.whole(token)
        if text is None or self._decoder is not None:
            text = self._decode(token)
        self.pieces.append(text)
        if not self._stops or not text:
            return False
        seen = self._tail + text
        if any(stop in seen for stop in self._stops):
            return True
        self._tail = seen[-self._reach :] if self._reach else ""
        return False

    def finish(self) -> None:
        """Gives the last token the replacement character for bytes that no further token completes."""
        if self._decoder is not None:
            self.pieces[-1] += self._decoder.decode(b"", final=True)
            self._decoder = None

    def _decode(self, token: int) -> str:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = self._decoder.decode(self._vocabulary.piece(token))
        if not self._decoder.getstate()[0]:
            self._decoder = None
        return text
