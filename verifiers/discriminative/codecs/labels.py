"""The tokens whose logits are compared, such as `+` and `-`."""

from __future__ import annotations

from collections.abc import Sequence

from tts.core.errors import UserError
from tts.engines.local_tokenizer import LocalTokenizer
from verifiers.discriminative.codecs.base import token_id


class Labels:
    """Tokens that a model was trained to say of a step.

    Args:
        texts: Their texts; the readout's classes are their places in this list.
        ids: Their ids in the published model, None where any are right.
    """

    def __init__(self, texts: Sequence[str], ids: Sequence[int] | None = None) -> None:
        if len(set(texts)) < 2:
            raise UserError(f"verifier.codec.labels.texts={list(texts)}: at least two different labels are compared")
        if ids is not None and len(ids) != len(texts):
            raise UserError(f"verifier.codec.labels.ids={list(ids)}: give one for each of {list(texts)}, or null")
        self.texts = tuple(texts)
        self._expected: Sequence[int | None] = ids or (None,) * len(texts)

    def ids(self, tokenizer: LocalTokenizer) -> tuple[int, ...]:
        """Returns the labels' ids.

        Raises:
            UserError: One is not a single token, or not the expected one.
        """
        return tuple(
            token_id(tokenizer, text, expected, "labels")
            for text, expected in zip(self.texts, self._expected, strict=True)
        )

    def at(self, tokenizer: LocalTokenizer, positions: int) -> tuple[tuple[int, ...], ...]:
        """Returns the labels' ids once for each position."""
        return (self.ids(tokenizer),) * positions
