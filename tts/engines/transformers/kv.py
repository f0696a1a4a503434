"""The keys and values of a batch of sequences, as a cache that any transformers model accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

KeyValues = Sequence[Tensor]
"""One sequence's keys and values: for each layer its keys, then its values, each `[heads, tokens, dim]`."""


class AttentionLayer(Protocol):
    """A model's attention layer, as seen by replacements of torch's attention."""

    layer_idx: int


@dataclass
class Window:
    """Which part of a cache's buffers the next forward pass reads and writes.

    Attributes:
        rows: Number of rows that take part, the first ones.
        begin: First column that any row uses.
        end: Column after the last cached token; every row ends here, shorter ones begin later (left padding).
        fresh: `[rows, 1, new columns, 1]`, False where a new column is padding of the query block and the buffer's
            content must stay; None if all are new.
    """

    rows: int = 0
    begin: int = 0
    end: int = 0
    fresh: Tensor | None = None


class WindowLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's preallocated keys and values, `[rows, heads, columns, dim]`, seen through a shared window.

    Sliding-window layers keep all columns too: the model masks those outside the window itself, by column distance,
    which equals token distance because every row's tokens are contiguous.
    """

    def __init__(self, keys: Tensor, values: Tensor, window: Window, is_sliding: bool) -> None:
        super().__init__()
        self.keys, self.values, self.window, self.is_sliding = keys, values, window, is_sliding
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Does nothing: the buffers are preallocated."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Writes the new columns and returns the window's keys and values, both `[rows, heads, columns, dim]`."""
        window = self.window
        end = window.end + key_states.shape[2]
        keys = self.keys[: window.rows, :, window.begin : end]
        values = self.values[: window.rows, :, window.begin : end]
        new = window.end - window.begin
        if window.fresh is not None:
            key_states = torch.where(window.fresh, key_states, keys[:, :, new:])
            value_states = torch.where(window.fresh, value_states, values[:, :, new:])
        keys[:, :, new:] = key_states
        values[:, :, new:] = value_states
        return keys, values

    def get_seq_length(self) -> int:
        """Returns the number of cached columns in the window."""
        return self.window.end - self.window.begin

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Returns the number of columns that a query block attends to, and the first one's offset."""
        return self.window.end - self.window.begin + query_length, 0

    def get_max_length(self) -> int:
        """Returns -1: the owner makes room before a forward pass."""
        return -1


@dataclass(frozen=True)
class LayerShape:
    """The shape of one layer's cache per token."""

    heads: int
    key_dim: int
    value_dim: int
    dtype: torch.dtype
    is_sliding: bool


class WindowCache(Cache):  # type: ignore[misc]
    """The buffers of all layers, seen through one window.

    Args:
        shapes: Each layer's shape.
        rows: Number of sequences to allocate.
        columns: Number of tokens to allocate per sequence.
        device: Where the buffers live.
    """

    def __init__(self, shapes: Sequence[LayerShape], rows: int, columns: int, device: torch.device) -> None:
        self.window = Window()
        self.rows, self.columns = rows, columns

        def buffer(shape: LayerShape, dim: int) -> Tensor:
            # Zeros, because padding is masked by adding -inf, which does not remove NaNs of uninitialised memory.
            return torch.zeros(rows, shape.heads, columns, dim, dtype=shape.dtype, device=device)

        super().__init__(
            layers=[
                WindowLayer(buffer(s, s.key_dim), buffer(s, s.value_dim), self.window, s.is_sliding) for s in shapes
            ]
        )

    def buffers(self) -> list[Tensor]:
        """Returns each layer's keys and values, `[rows, heads, columns, dim]`."""
        return [tensor for layer in self.layers for tensor in (layer.keys, layer.values)]

    def read(self, row: int, begin: int, end: int) -> list[Tensor]:
        """Returns views of one row's columns, each `[heads, end - begin, dim]`."""
        return [buffer[row, :, begin:end] for buffer in self.buffers()]

    def write(self, rows: slice, end: int, sequence: KeyValues) -> None:
        """Copies one sequence into each of `rows` such that its last token lies in column `end - 1`."""
        for buffer, tensor in zip(self.buffers(), sequence, strict=True):
            buffer[rows, :, end - tensor.shape[1] : end] = tensor
