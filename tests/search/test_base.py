"""What a class becomes by deriving from the bases of strategies."""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from search.base import BaseStrategy, ScoredStrategy
from search.beam import Beam
from search.best_of_n import BestOfN
from search.critique_refine import CritiqueRefine
from tests.search.toy import Toy
from tts.core.settings import PositiveInt, SettingError
from tts.core.traits import Needs

if TYPE_CHECKING:
    from collections.abc import Sequence


class Declared(BaseStrategy):
    n: PositiveInt
    extra: PositiveInt = 2
    weights: Sequence[float] = ()  # a name that is not there at run time


class Written(BaseStrategy):
    def __init__(self, number: PositiveInt) -> None:
        self.n = number


class Derived(Written):
    """Has the constructor of its base."""


def test_annotated_attributes_are_the_settings() -> None:
    strategy = Declared(3, extra=4)
    assert (strategy.n, strategy.extra, strategy.samples, strategy.token_bound(Toy())) == (3, 4, 3, 3)
    assert (strategy.needs, strategy.verifies) == (Needs(), True)
    assert (
        repr(Beam(4, 2))
        == "Beam(aggregator=None, selection='argmax', depth=40, n=4, width=2, finished_leave=False, lookahead=0)"
    )


@pytest.mark.parametrize("strategy", [Written, Derived])
def test_a_constructor_that_is_written_by_hand_stays(strategy: Any) -> None:
    assert strategy(5).samples == 5
    with pytest.raises(SettingError, match=r"^number=0: at least 1 is needed"):
        strategy(0)


@pytest.mark.parametrize(
    ("strategy", "wrong", "says"),
    [
        (Declared, {"n": 0}, "n=0: at least 1"),
        (BestOfN, {"n": 1, "selection": "argmix"}, "selection=argmix: did you mean 'argmax'"),
        # Declared in a module of which the class that is made knows nothing.
        (CritiqueRefine, {"n": 1, "turns": 1, "threshold": 0.0}, "threshold=0.0: more than 0"),
        (CritiqueRefine, {"n": 1, "turns": 1, "aggregator": "median"}, "aggregator=median"),
    ],
)
def test_inherited_settings_are_checked_too(strategy: Any, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=f"^{says}"):
        strategy(**wrong)


def test_settings_that_all_scored_strategies_have_are_given_by_name() -> None:
    assert {item.name for item in fields(ScoredStrategy) if item.kw_only} == {"aggregator", "selection", "compute"}
    with pytest.raises(TypeError):
        BestOfN(4, "min")  # type: ignore[misc]


def test_strategies_cross_a_process_border() -> None:
    strategy = pickle.loads(pickle.dumps(CritiqueRefine(2, 3, threshold=0.7)))
    assert (strategy.samples, strategy.threshold) == (8, 0.7)
