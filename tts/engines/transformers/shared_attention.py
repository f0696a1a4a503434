"""Decoding attention for rows that begin with the same prompt, whose keys and values are kept and read once.

Attention over a shared prefix and over a row's own tokens is computed separately and combined with the two parts'
softmax normalisers (Hydragen, arXiv:2402.05099). Decoding is bound by reading keys and values, so this saves most of
its time where many samples follow one long prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tts.engines.transformers.kv import AttentionLayer, KeyValues

NAME = "tts_shared_prefix"


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """A prompt that several rows begin with.

    Attributes:
        sequence: Its keys and values.
        rows: Indices of these rows in the batch, or None for all rows.
    """

    sequence: KeyValues
    rows: Tensor | None


def attend(
    module: AttentionLayer,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    shared_prefixes: Sequence[SharedPrefix] = (),
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Computes torch's attention, and adds the shared prefixes to it if there are any.

    Args:
        module: The attention layer.
        query: `[rows, heads, new, dim]`; one new token if prefixes are shared.
        key: `[rows, key heads, columns, dim]`.
        value: `[rows, key heads, columns, value dim]`.
        attention_mask: What to attend to; added to the scores if prefixes are shared.
        scaling: Factor of the scores.
        shared_prefixes: The rows' prefixes, before `key` and `value`.
        **kwargs: Passed on.

    Returns:
        `[rows, new, heads, value dim]` and no weights.
    """
    if not shared_prefixes:
        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return result
    rows, heads, _, dim = query.shape
    # One query block per key head: the query heads that share it.
    queries = query.reshape(rows, key.shape[1], -1, dim) * (dim**-0.5 if scaling is None else scaling)
    scores = torch.matmul(queries, key.transpose(2, 3))
    if attention_mask is not None:
        scores += attention_mask
    out, norm = _weigh(scores, value)
    for prefix in shared_prefixes:
        keys, values = prefix.sequence[2 * module.layer_idx : 2 * module.layer_idx + 2]
        chosen = queries if prefix.rows is None else queries[prefix.rows]
        # [key heads, rows of the prefix * query heads per key head, dim]
        block = chosen.transpose(0, 1).flatten(1, 2)
        prefix_out, prefix_norm = _weigh(torch.matmul(block, keys.transpose(1, 2)), values)
        shape = chosen.shape[1], chosen.shape[0], chosen.shape[2], -1
        prefix_out, prefix_norm = (x.view(shape).transpose(0, 1) for x in (prefix_out, prefix_norm))
        own, own_norm = (out, norm) if prefix.rows is None else (out[prefix.rows], norm[prefix.rows])
        both = torch.lerp(own, prefix_out, torch.sigmoid(prefix_norm - own_norm).to(own.dtype))
        if prefix.rows is None:
            out = both
        else:
            out[prefix.rows] = both
    return out.reshape(rows, 1, heads, -1), None


def _weigh(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the values averaged by softmax, and the logarithm of the softmax's normaliser `[..., 1]`."""
    exact = scores if scores.dtype == torch.float64 else scores.float()
    norm = exact.logsumexp(-1, keepdim=True)
    return torch.matmul((exact - norm).exp_().to(values.dtype), values), norm


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
