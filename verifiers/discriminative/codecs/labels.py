"""The tokens whose logits are compared, such as `+` and `-`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tts.core.settings import Must, NonNegativeInt, refused, settings
from tts.engines.local_tokenizer import LocalTokenizer
from verifiers.discriminative.codecs.base import token_id

_DIFFER = Must(lambda texts: len(set(texts)) > 1, "at least two different labels are compared")


@settings
class Labels:
    """The tokens with which a model was trained to label a step.

    Args:
        texts: Their texts; the readout's classes are indices into this list.
        ids: Their ids in the published model, None if any are right.
    """

    def __init__(self, texts: Annotated[Sequence[str], _DIFFER], ids: Sequence[NonNegativeInt] | None = None) -> None:
        if ids is not None and len(ids) != len(texts):
            raise refused("ids", ids, f"give one for each of {list(texts)}, or null")
        self.texts = tuple(texts)
        self._expected: Sequence[int | None] = ids or (None,) * len(texts)

    def ids(self, tokenizer: LocalTokenizer) -> tuple[int, ...]:
        """Returns the labels' ids.

        Raises:
            UserError: A label is not a single token, or does not have the expected id.
        """
        return tuple(
            token_id(tokenizer, text, "labels.texts", expected, "labels.ids")
            for text, expected in zip(self.texts, self._expected, strict=True)
        )

    def at(self, tokenizer: LocalTokenizer, positions: int) -> tuple[tuple[int, ...], ...]:
        """Returns the labels' ids once for each position."""
        return (self.ids(tokenizer),) * positions
