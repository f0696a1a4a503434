"""Scores many sequences in few forward passes, computing shared tokens once where possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tts.core.settings import SettingError
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers.prefix_cache import PrefixCache
from tts.engines.transformers_scoring.backbone import Backbone, length
from tts.engines.transformers_scoring.heads import Apply

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WORTH = 256
"""Minimum number of tokens that an extra pass over shared prefixes must save."""


@dataclass(frozen=True)
class Bounds:
    """Limits of a batch.

    Attributes:
        rows: Sequences.
        tokens: Tokens to compute, unless the batch is a single sequence.
        prefix_bytes: Bytes of cached keys and values of earlier sequences, besides batches.
    """

    rows: int
    tokens: int
    prefix_bytes: int


@dataclass
class _Sequence:
    """A sequence to compute, and the requests that read it."""

    tokens: list[int]
    readers: list[tuple[int, ScoreRequest]] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first position whose hidden state is needed; everything before it may come from the cache."""
        return min((reading.positions[0] for _, reading in self.readers), default=len(self.tokens) - 1)


@dataclass(frozen=True)
class _Start:
    """A sequence and the cached keys and values of its prefix."""

    sequence: _Sequence
    pieces: list[list[Tensor]]

    @cached_property
    def known(self) -> int:
        return length(self.pieces)

    @property
    def new(self) -> int:
        return len(self.sequence.tokens) - self.known


class Scorer:
    """A backbone and its head. Not thread-safe.

    Args:
        backbone: The model without its head.
        apply: The head.
        dtype: The head's precision.
        bounds: The limits of a batch.
    """

    def __init__(self, backbone: Backbone, apply: Apply, dtype: torch.dtype, bounds: Bounds) -> None:
        self._backbone, self._apply, self._dtype, self._bounds = backbone, apply, dtype, bounds
        self._prefixes = PrefixCache(bounds.prefix_bytes)

    @property
    def precision(self) -> torch.dtype:
        """The backbone's precision."""
        return self._backbone.dtype

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        return self._backbone.device

    def read(self, readings: Sequence[ScoreRequest]) -> Iterator[tuple[int, ScoreRows]]:
        """Yields each request's number and scores, batch by batch; needs torch's inference mode."""
        return self._run(_merged((list(reading.tokens), (i, reading)) for i, reading in enumerate(readings)))

    def _run(self, sequences: list[_Sequence]) -> Iterator[tuple[int, ScoreRows]]:
        """Computes sorted sequences, their shared prefixes first; yields their readers' scores."""
        if self._bounds.prefix_bytes:
            known = [self._known(sequence) for sequence in sequences]
            shared = [
                (a.tokens[:common], common - max(known_a, known_b))
                for (a, known_a), (b, known_b) in pairwise(zip(sequences, known, strict=True))
                if (common := min(_common(a.tokens, b.tokens), a.first, b.first)) > max(known_a, known_b)
            ]
            if sum(saved for _, saved in shared) >= _WORTH:
                yield from self._run(_merged((tokens, None) for tokens, _ in shared))
        for batch in self._batches(sequences):
            yield from self._compute(batch)

    def _known(self, sequence: _Sequence) -> int:
        return length(self._prefixes.match(sequence.tokens[: sequence.first]))

    def _batches(self, sequences: list[_Sequence]) -> Iterator[list[_Start]]:
        """Yields batches of sequences, as large as the bounds allow."""
        batch: list[_Start] = []
        tokens = 0
        for sequence in sequences:
            start = _Start(sequence, self._prefixes.match(sequence.tokens[: sequence.first]))
            if batch and (len(batch) == self._bounds.rows or tokens + start.new > self._bounds.tokens):
                yield batch
                batch, tokens = [], 0
            batch.append(start)
            tokens += start.new
        if batch:
            yield batch

    def _compute(self, batch: list[_Start]) -> Iterator[tuple[int, ScoreRows]]:
        """Runs the model on a batch, and its head at the positions that are read."""
        rows = [start.sequence.tokens[start.known :] for start in batch]
        begins = [start.pieces for start in batch]
        hidden, kept = self._backbone.forward(rows, begins, self._bounds.prefix_bytes > 0)
        for start, tensors in zip(batch, kept, strict=False):
            self._prefixes.insert(start.sequence.tokens, tensors)
        # Offsets from positions in a sequence to positions in the batch.
        shifts = [
            before - start.known for before, start in zip(accumulate(map(len, rows), initial=0), batch, strict=False)
        ]
        reads = [
            (shift, *reader) for shift, start in zip(shifts, batch, strict=True) for reader in start.sequence.readers
        ]
        if not reads:
            return
        places = torch.tensor([shift + place for shift, _, reading in reads for place in reading.positions])
        candidates = [candidate for *_, reading in reads for candidate in reading.candidates]
        states = hidden[places.to(hidden.device)].to(self._dtype)
        values = iter(self._apply(states, candidates).tolist())
        for _, number, reading in reads:
            yield number, tuple(tuple(next(values)) for _ in reading.positions)


def _merged(items: Iterator[tuple[list[int], tuple[int, ScoreRequest] | None]]) -> list[_Sequence]:
    """Returns the sequences in order; those that are prefixes of another are read from that one."""
    sequences: list[_Sequence] = []
    for tokens, reader in sorted(items, key=lambda item: item[0]):
        if not sequences or tokens[: len(sequences[-1].tokens)] != sequences[-1].tokens:
            sequences.append(_Sequence(tokens))
        sequences[-1].tokens = tokens
        sequences[-1].readers += [] if reader is None else [reader]
    return sequences


def _common(a: list[int], b: list[int]) -> int:
    """Returns the length of the longest common prefix."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def examine(module: PreTrainedModel, bounds: Bounds, name: str) -> Backbone:
    """Prepares a decoder for batching, after checking that batched passes give the hidden states of plain ones.

    Raises:
        UserError: They do not.
    """
    vocabulary = module.get_input_embeddings().weight.shape[0]
    ids = [i % vocabulary for i in range(3, 43, 2)]
    long, short = ids[:17], ids[9:14]
    dtype = torch.promote_types(module.dtype, torch.float32)

    def hidden(states: Tensor, _: object) -> Tensor:
        return states

    try:
        backbone = Backbone(module)
        scorer = Scorer(backbone, hidden, dtype, bounds)
        both = ScoreRequest(tuple(long), (12, 16)), ScoreRequest(tuple(short), (1, 4))
        with torch.inference_mode():
            list(scorer.read([ScoreRequest(tuple(long[:9]), (8,))]))
            read = [rows for _, rows in sorted(scorer.read(both))] + [rows for _, rows in scorer.read(both[:1])]
            first, second = backbone.plain(long)[[12, 16]], backbone.plain(short)[[1, 4]]
            got = torch.tensor(read, dtype=dtype, device=backbone.device)
            expected = torch.stack([first, second, first]).to(dtype)
            error = float((got - expected).abs().max() / expected.std().clamp(min=1e-6))
        # Far above rounding, far below the effect of a wrong position or mask.
        if not error < max(0.02, 20 * torch.finfo(backbone.dtype).eps):
            raise ValueError(f"batches change its hidden states by {error:.1%}")
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        raise SettingError("model", f"{name} cannot be batched: {error}") from error
    return backbone
