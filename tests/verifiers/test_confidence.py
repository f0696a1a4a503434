"""Confidence: DeepConf's measures, and self-certainty."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.fakes import PROBLEM
from tts.core import Solution
from tts.core.errors import UserError
from tts.core.solution import Written
from verifiers.confidence import MEASURES, Confidence, windows

values_ = st.lists(st.floats(0, 30), min_size=1, max_size=40)


def written(values: list[float]) -> Solution:
    return Solution("x", ("x",), "stop", trace=tuple(Written("x", -1.0, -1.0, value) for value in values))


async def score(verifier: Confidence, values: list[float]) -> float | None:
    return (await verifier.verify(PROBLEM, written(values))).scores[0]


@given(values_, st.integers(1, 50))
def test_windows_are_the_means_of_neighbours(values: list[float], size: int) -> None:
    found = windows(values, size)
    width = min(size, len(values))
    assert len(found) == len(values) - width + 1
    for start, mean in enumerate(found):
        assert mean == pytest.approx(math.fsum(values[start : start + width]) / width, abs=1e-9)


@given(values_, st.integers(1, 50), st.floats(0.01, 1))
async def test_the_measures_are_ordered_and_agree_where_there_is_one_window(
    values: list[float], window: int, share: float
) -> None:
    found = {name: await score(Confidence(name, window, share), values) for name in MEASURES}
    assert found["mean"] == pytest.approx(math.fsum(values) / len(values))
    assert found["lowest"] <= found["bottom"] + 1e-9  # type: ignore[operator]
    assert found["lowest"] <= found["tail"] + 1e-9  # type: ignore[operator]
    if window >= len(values):
        assert [found[name] for name in MEASURES] == pytest.approx([found["mean"]] * len(MEASURES))


@given(values_, st.integers(1, 20))
async def test_the_lowest_window_only_falls_as_a_solution_grows(values: list[float], window: int) -> None:
    """So that a solution that is stopped below a threshold would have ended below it."""
    lowest = [await score(Confidence("lowest", window), values[:end]) for end in range(window, len(values) + 1)]
    assert all(after <= before + 1e-9 for before, after in pairwise(lowest))  # type: ignore[operator]


@given(values_, st.integers(1, 20))
async def test_a_prefix_has_no_score_before_it_fills_a_window(values: list[float], window: int) -> None:
    prefix = replace(written(values), finish_reason="step")
    (found,) = (await Confidence("lowest", window).verify(PROBLEM, prefix)).scores
    assert found == (await score(Confidence("lowest", window), values) if len(values) >= window else None)


async def test_self_certainty_is_the_divergence_from_chance() -> None:
    # Two places over four words: one even, one not.
    places = [[0.25] * 4, [0.7, 0.1, 0.1, 0.1]]
    values = [-sum(map(math.log, place)) / 4 for place in places]
    exact = sum(sum(0.25 * math.log(0.25 / p) for p in place) for place in places) / 2
    assert await score(Confidence("mean", vocabulary=4), values) == pytest.approx(exact)
    assert await score(Confidence("mean", vocabulary=4), values[:1]) == pytest.approx(0.0)


async def test_a_solution_of_unknown_tokens_has_no_score() -> None:
    verdict = await Confidence().verify(PROBLEM, Solution("x", ("x",), "stop"))
    assert verdict.scores == (None,)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"measure": "median"}, r"^measure=median: .*choose one of mean, tail"),
        ({"window": 0}, r"^window=0: at least 1"),
        ({"share": 0.0}, r"^share=0\.0: more than 0"),
        ({"share": 1.5}, r"^share=1\.5"),
        ({"vocabulary": 0}, r"^vocabulary=0"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Confidence(**changes)
