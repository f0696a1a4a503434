"""A model's input, shown as text with the read positions marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tts.engines.scoring import ScoreRequest
from tts.engines.transformers.text import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def marked(tokenizer: PreTrainedTokenizerBase, reading: ScoreRequest) -> str:
    """Returns the text of a request, with special tokens spelled out and each scored token between `⟦` and `⟧`.

    Args:
        tokenizer: transformers' tokenizer.
        reading: The request.
    """
    vocabulary, read = Vocabulary(tokenizer), set(reading.positions)
    pieces = []
    for place, token in enumerate(reading.tokens):
        piece = vocabulary.piece(token)
        pieces.append("⟦".encode() + piece + "⟧".encode() if place in read else piece)
    return b"".join(pieces).decode(errors="replace")
