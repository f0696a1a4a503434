"""The sequences that are decoded together."""

from __future__ import annotations

import torch
from torch import Tensor

from tts.engines.transformers.kv import KeyValues
from tts.engines.transformers.model import CausalModel
from tts.engines.transformers.shared_attention import SharedPrefix

SHARED_FROM = 16
"""Number of rows from which a common prompt is stored once: each such prompt costs some operations per layer."""

_SLACK = 256
"""Minimum number of columns that a batch can decode before its buffers are moved."""


class Batch:
    """Sequences, each in a row of the cache, whose last tokens share a column; shorter ones begin in later columns.

    If many rows are added with the same sequence, it is stored once, in front of their own columns.

    Args:
        model: The model.
        rows: Maximum number of sequences at a time.
    """

    def __init__(self, model: CausalModel, rows: int) -> None:
        self._model = model
        self._cache = model.cache(0, 0)
        self._most_rows = rows
        self._starts: list[int] = []
        self._prefixes: list[KeyValues | None] = []
        self._changed = True
        # A pass's data about the rows: where their sequences begin, or would if their prefixes were not stored apart;
        # which columns are theirs; the prefixes.
        self._origins = self._visible = torch.empty(0)
        self._more: dict[str, object] = {}

    def add(self, sequence: KeyValues, copies: int) -> None:
        """Appends rows that all hold the same cached sequence, in tensors `[heads, tokens, dim]`."""
        shared = self._model.shares_prefixes and copies >= SHARED_FROM
        length = 0 if shared else sequence[0].shape[1]
        rows = len(self._starts)
        if rows + copies > self._cache.rows or length > self._cache.window.end:
            self._move(rows + copies, length)
        end = self._cache.window.end
        if not shared:
            self._cache.write(slice(rows, rows + copies), end, sequence)
        self._starts += [end - length] * copies
        self._prefixes += [[tensor.contiguous() for tensor in sequence] if shared else None] * copies
        self._changed = True

    def remove(self, row: int) -> None:
        """Removes a row; the last one takes its place."""
        start, prefix = self._starts.pop(), self._prefixes.pop()
        last = len(self._starts)
        if row != last:
            self._starts[row], self._prefixes[row] = start, prefix
            self._cache.write(slice(row, row + 1), self._cache.window.end, self._own(last, start))
        self._changed = True

    def sequence(self, row: int) -> list[Tensor]:
        """Returns a row's cached keys and values, each `[heads, tokens, dim]`."""
        own, prefix = self._own(row, self._starts[row]), self._prefixes[row]
        return own if prefix is None else [torch.cat(parts, 1) for parts in zip(prefix, own, strict=True)]

    def decode(self, tokens: Tensor) -> Tensor:
        """Feeds one more token to every row.

        Args:
            tokens: `[rows]`.

        Returns:
            The logits after it, `[rows, vocabulary]`.
        """
        if self._cache.window.end == self._cache.columns:
            self._move(len(self._starts), 0)
        if self._changed:
            self._arrange()
        window = self._cache.window
        logits = self._model.forward(
            tokens[:, None],
            window.end - self._origins,
            self._visible[..., : window.end - window.begin + 1],
            self._cache,
            **self._more,
        )
        window.end += 1
        return logits

    def _own(self, row: int, start: int) -> list[Tensor]:
        return self._cache.read(row, start, self._cache.window.end)

    def _arrange(self) -> None:
        """Rebuilds everything that depends on the set of rows and their starts."""
        window, model = self._cache.window, self._model
        window.rows, window.begin = len(self._starts), min(self._starts)
        starts = torch.tensor(self._starts, device=model.device)[:, None]
        lengths = [0 if prefix is None else prefix[0].shape[1] for prefix in self._prefixes]
        self._origins = starts - torch.tensor(lengths, device=model.device)[:, None]
        self._visible = torch.arange(window.begin, self._cache.columns, device=model.device) >= starts
        if model.shares_prefixes:
            # Built once here rather than by the model in every pass.
            bias = torch.zeros(self._visible.shape, dtype=model.shapes[0].dtype, device=model.device)
            self._visible = bias.masked_fill_(~self._visible, -torch.inf)[:, None, None]
            self._more = {"shared_prefixes": self._shared()}
        self._changed = False

    def _shared(self) -> list[SharedPrefix]:
        rows: dict[int, list[int]] = {}
        for row, prefix in enumerate(self._prefixes):
            if prefix is not None:
                rows.setdefault(id(prefix), []).append(row)
        count = len(self._prefixes)
        return [
            SharedPrefix(
                self._prefixes[of[0]] or (),
                None if len(of) == count else torch.tensor(of, device=self._model.device),
            )
            for of in rows.values()
        ]

    def _move(self, rows: int, length: int) -> None:
        """Moves all rows to the left end of new buffers for `rows` rows of `length` tokens, with room to grow."""
        old = self._cache
        begin = min(self._starts, default=old.window.end)
        end = max(old.window.end - begin, length)
        room = old.rows if rows <= old.rows else min(max(rows, 2 * old.rows), self._most_rows)
        self._cache = new = self._model.cache(room, end + max(_SLACK, end // 2))
        new.window.end = end
        shift = end - old.window.end
        if self._starts:
            width = old.window.end - begin
            for target, source in zip(new.buffers(), old.buffers(), strict=True):
                target[: len(self._starts), :, end - width : end] = source[
                    : len(self._starts), :, begin : old.window.end
                ]
        self._starts = [start + shift for start in self._starts]
        self._changed = True
