"""A model without its head: token ids in, the last layer's hidden states out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tts.engines.transformers.kv import KeyValues
from tts.engines.transformers_scoring import packed_attention
from tts.engines.transformers_scoring.packed_attention import Packing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LAYERS = {"full_attention", "sliding_attention"}


class Backbone:
    """A causal decoder.

    The new tokens of sequences are packed: they are concatenated in a single row, without padding.

    Args:
        module: The decoder, in evaluation mode.

    Raises:
        ValueError: It has layers other than full or sliding-window causal attention.
    """

    def __init__(self, module: PreTrainedModel) -> None:
        self.module = module
        self.device: torch.device = module.device
        self.dtype: torch.dtype = module.dtype
        others = {*(getattr(module.config, "layer_types", None) or ())} - _LAYERS
        if others:
            raise ValueError(f"it has layers of {', '.join(sorted(others))}")
        module.set_attn_implementation(packed_attention.NAME)

    def forward(
        self, rows: Sequence[Sequence[int]], begins: Sequence[Sequence[KeyValues]], keep: bool
    ) -> tuple[Tensor, list[KeyValues]]:
        """Runs the model on the new tokens of sequences.

        Args:
            rows: Each sequence's new tokens.
            begins: The keys and values of the tokens before them, in consecutive pieces.
            keep: Whether to return keys and values.

        Returns:
            The hidden states of the new tokens, `[all new tokens, hidden]`, and the keys and values of each sequence's
            new tokens; none if they are not kept.
        """
        packing = Packing([*map(len, rows)], begins, keep)
        spans = zip(map(length, begins), rows, strict=True)
        places = [place for known, row in spans for place in range(known, known + len(row))]
        hidden: Tensor = self.module(
            input_ids=torch.tensor([[*chain.from_iterable(rows)]], device=self.device),
            position_ids=torch.tensor([places], device=self.device),
            # A four-dimensional mask is passed on unchanged, while None would have one created; packed attention needs
            # none.
            attention_mask=torch.empty(1, 1, 0, 0, dtype=torch.bool, device=self.device),
            use_cache=False,
            packing=packing,
        ).last_hidden_state
        return hidden[0], [*packing.kept] if keep else []

    def plain(self, tokens: Sequence[int]) -> Tensor:
        """Returns the hidden states of one sequence, computed by itself with torch's attention, `[tokens, hidden]`."""
        hidden: Tensor = self.module(input_ids=torch.tensor([tokens], device=self.device)).last_hidden_state
        return hidden[0]


def length(pieces: Sequence[KeyValues]) -> int:
    """Returns the number of tokens whose keys and values these are."""
    return sum(piece[0].shape[1] for piece in pieces)
