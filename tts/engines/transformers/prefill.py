"""Prefill: one forward pass over the new tokens of several prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tts.engines.transformers.kv import WindowCache
from tts.engines.transformers.model import CausalModel
from tts.engines.transformers.prefix_cache import PrefixCache


@dataclass(frozen=True)
class Start:
    """A prompt and its known keys and values.

    Attributes:
        tokens: Token ids, at least one.
        pieces: Keys and values of its first tokens, in consecutive pieces.
        new: Number of tokens after these.
    """

    tokens: list[int]
    pieces: list[list[Tensor]]
    new: int

    @classmethod
    def of(cls, tokens: list[int], prefixes: PrefixCache) -> Start:
        """Looks up a prompt except for its last token, whose logits have to be computed."""
        pieces = prefixes.match(tokens[:-1])
        return cls(tokens, pieces, len(tokens) - sum(piece[0].shape[1] for piece in pieces))


def prefill(model: CausalModel, prompts: Sequence[Start]) -> tuple[WindowCache, Tensor]:
    """Runs the model on the new tokens of prompts.

    Args:
        model: The model.
        prompts: The prompts.

    Returns:
        A cache that holds prompt `i` in row `i`, its last token in the last column; the logits after each prompt,
        `[prompts, vocabulary]`.
    """
    columns = max(len(prompt.tokens) for prompt in prompts)
    block = max(prompt.new for prompt in prompts)
    cache = model.cache(len(prompts), columns)
    for row, prompt in enumerate(prompts):
        at = columns - len(prompt.tokens)
        for piece in prompt.pieces:
            at += piece[0].shape[1]
            cache.write(slice(row, row + 1), at, piece)

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, device=model.device).unsqueeze(-1)

    tokens = torch.tensor(
        [[0] * (block - prompt.new) + prompt.tokens[len(prompt.tokens) - prompt.new :] for prompt in prompts],
        device=model.device,
    )
    places = torch.arange(columns, device=model.device)
    starts = column([columns - len(prompt.tokens) for prompt in prompts])
    window = cache.window
    window.rows, window.end = len(prompts), columns - block
    # Before a row's new tokens the block is padding, whose columns may hold the row's known keys and values.
    window.fresh = (places[window.end :] >= column([columns - prompt.new for prompt in prompts]))[:, None, :, None]
    positions = (places[window.end :] - starts).clamp_(min=0)
    logits = model.forward(tokens, positions, places >= starts, cache)
    window.end, window.fresh = columns, None
    return cache, logits
