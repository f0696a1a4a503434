"""Attention over sequences concatenated in a single row, each with the cached keys and values of its prefix.

Nothing is padded: all other operations of a model work on each token separately, and attention is computed per
sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tts.engines.transformers.kv import AttentionLayer, KeyValues

NAME = "tts_packed"

_BLOCK = 128
"""Queries that attend together: keys after the last of them are skipped."""


class Packing:
    """The sequences of one forward pass. The layers take cached keys and values from here, and store new ones here.

    Args:
        lengths: Each sequence's new tokens.
        begins: The keys and values of the tokens before them, in consecutive pieces.
        keep: Whether new keys and values are kept.
    """

    def __init__(self, lengths: Sequence[int], begins: Sequence[Sequence[KeyValues]], keep: bool) -> None:
        self.lengths = list(lengths)
        self.begins = begins
        self.keep = keep
        self.kept: list[list[Tensor]] = [[] for _ in lengths]
        self._masks: dict[tuple[int, int, int], Tensor] = {}

    def whole(self, layer: int, number: int, new: Tensor, part: int) -> Tensor:
        """Returns all keys (`part` 0) or values (1) of a sequence, `[heads, tokens, dim]`."""
        if self.keep:
            self.kept[number].append(new)
        if not self.begins[number]:
            return new
        return torch.cat([*(piece[2 * layer + part] for piece in self.begins[number]), new], 1)

    def mask(self, queries: int, keys: int, window: int, device: torch.device) -> Tensor:
        """Returns which of the keys each of the last tokens attends to, `[queries, keys]`."""
        shape = queries, keys, window
        if shape not in self._masks:
            seen = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)
            self._masks[shape] = seen.triu(keys - queries - window + 1)
        return self._masks[shape]


def attend(
    module: AttentionLayer,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    packing: Packing | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Computes attention per sequence, or torch's attention if nothing is packed.

    Args:
        module: The attention layer.
        query: `[1, heads, new, dim]`.
        key: `[1, key heads, new, dim]`.
        value: `[1, key heads, new, value dim]`.
        attention_mask: What to attend to if nothing is packed.
        scaling: Factor of the scores.
        sliding_window: Tokens that a token attends to, itself included; None for all up to it.
        packing: The sequences.
        **kwargs: Passed on if nothing is packed.

    Returns:
        `[1, new, heads, value dim]` and no weights.

    Raises:
        ValueError: The layer needs attention features that are not supported here.
    """
    more = sorted(name for name in ("softcap", "s_aux", "position_bias") if kwargs.get(name) is not None)
    if more:
        raise ValueError(f"its attention has {', '.join(more)}")
    if packing is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **kwargs
        )
        return plain
    parts = zip(*(torch.split(tensor[0], packing.lengths, 1) for tensor in (query, key, value)), strict=True)
    out = []
    for number, (queries, keys, values) in enumerate(parts):
        keys = packing.whole(module.layer_idx, number, keys, 0)
        values = packing.whole(module.layer_idx, number, values, 1)
        out += _blocks(packing, queries, keys, values, scaling, sliding_window)
    return torch.cat(out, 1).transpose(0, 1)[None], None


def _blocks(
    packing: Packing, queries: Tensor, keys: Tensor, values: Tensor, scaling: float | None, window: int | None
) -> list[Tensor]:
    """Returns the attention output of a sequence's last tokens in blocks, each `[heads, tokens, value dim]`."""
    heads, new, _ = queries.shape
    groups, known = heads // keys.shape[0], keys.shape[1] - new
    # The query heads of a key head form a separate dimension, along which keys and values are not copied.
    queries = queries.view(-1, groups, *queries.shape[1:])
    keys, values = (tensor[:, None].expand(-1, groups, -1, -1) for tensor in (keys, values))
    blocks = []
    for begin in range(0, new, _BLOCK):
        end = min(new, begin + _BLOCK)
        last = known + end
        first = 0 if window is None else max(0, known + begin - window + 1)
        mask = packing.mask(end - begin, last - first, last if window is None else window, queries.device)
        seen = keys[:, :, first:last], values[:, :, first:last]
        block = scaled_dot_product_attention(queries[:, :, begin:end], *seen, attn_mask=mask, scale=scaling)
        blocks.append(block.flatten(0, 1))
    return blocks


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
