"""A model without its head: token ids in, the last layer's hidden states out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from tts.engines.transformers.kv import KeyValues


class Backbone:
    """A causal decoder.

    New tokens are padded on the right, where no token before the padding can see it: sequences that are computed from their
    first token on need no mask. What is known of others lies in front of their new tokens, padded on the left.

    Args:
        module: The decoder, in evaluation mode.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.device: torch.device = module.device
        self.dtype: torch.dtype = module.dtype

    def forward(
        self, rows: Sequence[Sequence[int]], begins: Sequence[Sequence[KeyValues]], keep: bool
    ) -> tuple[Tensor, list[KeyValues]]:
        """Runs the model over the new tokens of sequences.

        Args:
            rows: Each sequence's new tokens.
            begins: The keys and values of the tokens in front of them, in pieces that follow each other.
            keep: Whether to return keys and values.

        Returns:
            The hidden states of the new tokens `[rows, longest, hidden]`, and the keys and values of each whole sequence;
            none where they are not kept.
        """
        longest = max(map(len, rows))
        tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=self.device)
        known = [length(begin) for begin in begins]
        cache: Any = DynamicCache()
        options: dict[str, Any] = {}
        if any(known):
            most = max(known)
            for layer, tensors in enumerate(_padded(begins, known)):
                cache.update(*tensors, layer)
            lengths = torch.tensor(known, device=self.device)[:, None]
            places = torch.arange(most + longest, device=self.device)
            options["position_ids"] = lengths + places[:longest]
            if min(known) < most:
                options["attention_mask"] = places >= most - lengths
        elif not keep:
            options["use_cache"] = False
        hidden: Tensor = self.module(input_ids=tokens, past_key_values=cache, **options).last_hidden_state
        if not keep:
            return hidden, []
        kept = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        spans = [(max(known) - before, max(known) + len(new)) for before, new in zip(known, rows, strict=True)]
        return hidden, [[tensor[row, :, a:b] for tensor in kept] for row, (a, b) in enumerate(spans)]

    def plain(self, tokens: Sequence[int]) -> Tensor:
        """Returns the hidden states of one sequence, computed by itself, `[tokens, hidden]`."""
        hidden: Tensor = self.module(input_ids=torch.tensor([tokens], device=self.device)).last_hidden_state
        return hidden[0]


def length(pieces: Sequence[KeyValues]) -> int:
    """Returns the number of tokens whose keys and values these are."""
    return sum(piece[0].shape[1] for piece in pieces)


def _padded(begins: Sequence[Sequence[KeyValues]], known: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields each layer's keys and values of all rows, `[rows, heads, most, dim]`, zeros on the left of shorter ones."""
    model = next(pieces[0] for pieces in begins if pieces)
    buffers = [tensor.new_zeros(len(begins), tensor.shape[0], max(known), tensor.shape[2]) for tensor in model]
    for row, (pieces, tokens) in enumerate(zip(begins, known, strict=True)):
        at = max(known) - tokens
        for piece in pieces:
            end = at + piece[0].shape[1]
            for buffer, tensor in zip(buffers, piece, strict=True):
                buffer[row, :, at:end] = tensor
            at = end
    yield from zip(buffers[::2], buffers[1::2], strict=True)
