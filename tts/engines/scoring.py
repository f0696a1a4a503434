"""The interface of engines that score: token ids and positions in, what a model says at these positions out.

Discriminative verifiers ask them. They sample nothing, so what they cost is prompt tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tts.core.setting_error import SettingError
from tts.engines.base import BaseEngine, kind_of
from tts.engines.local_tokenizer import LocalTokenizer

ScoreRows = tuple[tuple[float, ...], ...]
"""What a model says: a row of values for each position, in the order of the positions."""


@dataclass(frozen=True)
class ScoreRequest:
    """A token sequence and the positions at which it is scored.

    What a model says at a position depends on the tokens up to and with it, and on nothing behind it.

    Attributes:
        tokens: Token ids, special ones included; nothing is added.
        positions: Indices into `tokens`, ascending.
        candidates: For each position the ids that a head over the vocabulary is asked about, the same number at each; empty
            for a head that has values of its own.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...] = ()

    def at(self, places: Sequence[int]) -> ScoreRequest:
        """Returns the request for some of its positions; tokens behind the last of them are left out.

        Args:
            places: Indices into `positions`, ascending, at least one.
        """
        return ScoreRequest(
            self.tokens[: self.positions[places[-1]] + 1],
            tuple(self.positions[place] for place in places),
            tuple(self.candidates[place] for place in places) if self.candidates else (),
        )


@runtime_checkable
class ScoringEngine(BaseEngine, Protocol):
    """An engine that scores: a model with a head, asked what it makes of the tokens up to a position."""

    @property
    def tokenizer(self) -> LocalTokenizer:
        """The model's tokenizer; asking for it loads nothing."""

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns what the model says at each position.

        Raises:
            EngineError: The request failed for good.
        """


def scoring(engine: BaseEngine) -> ScoringEngine:
    """Returns an engine as one that scores.

    Raises:
        SettingError: It only generates.
    """
    if isinstance(engine, ScoringEngine):
        return engine
    raise SettingError(
        "engine", f"{kind_of(engine)} writes text, and an engine that scores is needed; leave its _target_ as it is"
    )
