"""The interface of engines that score: token ids and positions in, the model's values at these positions out.

Discriminative verifiers use them. They sample nothing, so they cost only prompt tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tts.core.setting_error import SettingError
from tts.engines.base import BaseEngine, kind_of
from tts.engines.local_tokenizer import LocalTokenizer

ScoreRows = tuple[tuple[float, ...], ...]
"""A model's values: a row for each position, in the order of the positions."""


@dataclass(frozen=True)
class ScoreRequest:
    """A token sequence and the positions at which it is scored.

    The values at a position depend on the tokens up to and including it, and on nothing after it.

    Attributes:
        tokens: Token ids, special ones included; nothing is added.
        positions: Indices into `tokens`, ascending.
        candidates: For each position the token ids to evaluate with a head over the vocabulary, the same number at
            each; empty for other heads.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...] = ()

    def at(self, places: Sequence[int]) -> ScoreRequest:
        """Returns the request for some of its positions; tokens after the last of them are left out.

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
    """An engine that scores: a model with a head that evaluates the tokens up to a position."""

    @property
    def tokenizer(self) -> LocalTokenizer:
        """The model's tokenizer; accessing it loads nothing."""

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the model's values at each position.

        Raises:
            EngineError: The request failed permanently.
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
