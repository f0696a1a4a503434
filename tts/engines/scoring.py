"""The interface of engines that read: token ids and positions in, what a model says at these positions out.

Discriminative verifiers ask them. They sample nothing, so what they cost is prompt tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tts.engines.local_tokenizer import LocalTokenizer

ScoreRows = tuple[tuple[float, ...], ...]
"""What was read: a row of values for each position, in the order of the positions."""


@dataclass(frozen=True)
class ScoreRequest:
    """A token sequence and where to read it.

    What is read at a position depends on the tokens up to and with it, and on nothing behind it.

    Attributes:
        tokens: Token ids, special ones included; nothing is added.
        positions: Indices into `tokens`, ascending.
        candidates: For each position the ids that a head over the vocabulary is asked about, the same number at each; empty
            for a head that has values of its own.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...] = ()


@runtime_checkable
class ScoringEngine(Protocol):
    """A model that reads. Takes readings from any number of coroutines and does its own batching.

    Constructing an engine loads nothing, so that a configuration can be checked at no cost.
    """

    @property
    def name(self) -> str:
        """What identifies the model: a path or a hub id."""

    @property
    def parameters(self) -> int | None:
        """Number of the parameters that a token passes, None where unknown. Known after `start`."""

    @property
    def capacity(self) -> int:
        """Readings that it can usefully have in flight at a time."""

    @property
    def tokenizer(self) -> LocalTokenizer:
        """The model's tokenizer; asking for it loads nothing."""

    async def start(self) -> None:
        """Loads the weights. Starting twice does nothing.

        Raises:
            UserError: They are not there, or do not fit; says what to do.
        """

    async def read(self, reading: ScoreRequest) -> ScoreRows:
        """Returns what the model says at each position.

        Raises:
            EngineError: The reading failed for good.
        """

    async def close(self) -> None:
        """Frees the model."""
