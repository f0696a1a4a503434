"""Token sequences with labels, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORED = -100
"""The label of what carries no loss, as everywhere in PyTorch."""

Ids = NDArray[np.int32]

Batch = Mapping[str, Tensor]
"""The tensors of a batch. `labels` holds a label for each item of the loss: a token, a score, a pair."""


@dataclass(frozen=True)
class Labelled:
    """A token sequence.

    Attributes:
        ids: Token ids, `[tokens]`.
        labels: For each position the id to predict there, that is of the next token, or `IGNORED`, `[tokens]`.
    """

    ids: Ids
    labels: Ids

    def __len__(self) -> int:
        return len(self.ids)


def padded(rows: Sequence[Ids], value: int) -> Tensor:
    """Returns rows of different lengths as one tensor `[rows, longest]`, filled up with `value` at their ends."""
    longest = max(map(len, rows))
    return torch.from_numpy(
        np.stack([np.pad(row, (0, longest - len(row)), constant_values=value) for row in rows])
    ).long()


def inputs(rows: Sequence[Ids]) -> dict[str, Tensor]:
    """Returns a model's inputs for a batch. A causal model sees no padding at the end, whose id does not matter."""
    return {"input_ids": padded(rows, 0), "attention_mask": padded([np.ones_like(row) for row in rows], 0)}
