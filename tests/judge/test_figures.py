"""Laws of the figures, against plain counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.judge.figures import FIGURES, figures
from tts.judge.intervals import NORMALS, drawn
from tts.judge.judged import Judged
from tts.statistics.bootstrap import Bootstrap, interval, mean, point
from tts.statistics.metrics import auc, first_error_score, wilson_interval, wilson_limits

SCORES = st.sampled_from([None, 0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def judgements(draw: st.DrawFn) -> Judged:
    steps = draw(st.integers(1, 5))
    if draw(st.booleans()):
        labels = tuple(draw(st.lists(st.sampled_from([True, False, None]), min_size=steps, max_size=steps)))
        complete = True
    else:
        first = draw(st.integers(0, steps))
        labels = ((True,) * first + (False,) + (None,) * steps)[:steps]
        complete = False
    scores = draw(st.lists(SCORES, min_size=1, max_size=steps))
    return Judged(labels, complete, tuple(scores))


MANY = st.lists(judgements(), min_size=1, max_size=12)


def at(judged: list[Judged], threshold: float = 0.5) -> dict[str, float | None]:
    return {name: point(values) for name, values in figures(judged, threshold, np.ones((1, len(judged)))).items()}


@given(MANY)
@settings(max_examples=60, deadline=None)
def test_figures_are_what_plain_counting_gives(judged: list[Judged]) -> None:
    found = at(judged)
    usable = [one for one in judged if one.usable]
    if len(usable) == len(judged):
        as_none = {-1: None}
        plain = first_error_score(
            [as_none.get(one.label, one.label) for one in judged],
            [as_none.get(prediction, prediction) for prediction in (one.prediction(0.5) for one in judged)],
        )
        if plain.n_error and plain.n_correct:
            assert found["acc_error"] == pytest.approx(plain.acc_error)
            assert found["acc_correct"] == pytest.approx(plain.acc_correct)
            assert found["f1"] == pytest.approx(plain.f1)
    pairs = [
        (label, None if i >= len(one.scores) or one.scores[i] is None else one.scores[i] >= 0.5)
        for one in judged
        if one.complete
        for i, label in enumerate(one.labels)
        if label is not None
    ]
    for name, kept in (
        ("prm_score", [pair for pair in pairs if pair[1] is not None]),
        ("step_macro_f1", pairs),
    ):
        halves = [plain_f1(kept, side) for side in (True, False)]
        expected = None if None in halves else sum(halves) / 2  # type: ignore[arg-type]
        if name == "prm_score" and all(label for label, _ in pairs):
            expected = halves[0]
        assert found[name] == (None if expected is None else pytest.approx(expected))


@given(MANY)
@settings(max_examples=40, deadline=None)
def test_hard2verifys_f1_is_balanced_between_right_and_wrong(judged: list[Judged]) -> None:
    """By scikit-learn's definition of the recall of each class, here written out, and their harmonic mean."""
    labelled = [
        (label, None if i >= len(one.scores) or one.scores[i] is None else one.scores[i] >= 0.5)
        for one in judged
        if one.complete
        for i, label in enumerate(one.labels)
        if label is not None
    ]
    # A response is said to be right if it has a prediction, and that is no error.
    responses = [(one.label == -1, None if not one.usable else one.prediction(0.5) == -1) for one in judged]
    found = at(judged)
    assert found["step_balanced_f1"] == balanced(labelled)
    assert found["response_balanced_f1"] == balanced(responses)


def balanced(pairs: list[tuple[bool, bool | None]]) -> object:
    shares = []
    for side in (True, False):
        said = [told for label, told in pairs if label is side]
        if not said:
            return None
        shares.append(said.count(side) / len(said))
    return pytest.approx(2 * shares[0] * shares[1] / sum(shares) if all(shares) else 0.0)


def plain_f1(pairs: list[tuple[bool, bool | None]], side: bool) -> float | None:
    hits = sum(label is side and said is side for label, said in pairs)
    said = sum(said is side for _, said in pairs)
    there = sum(label is side for label, _ in pairs)
    if not said + there:
        return None
    precision, recall = (hits / whole if whole else 0.0 for whole in (said, there))
    return 2 * precision * recall / (precision + recall) if hits else 0.0


@given(MANY, st.data())
@settings(max_examples=40, deadline=None)
def test_a_weight_is_so_many_copies(judged: list[Judged], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 3), min_size=len(judged), max_size=len(judged)))
    copies = [one for one, weight in zip(judged, weights, strict=True) for _ in range(weight)]
    weighted = figures(judged, 0.5, np.array([weights], float))
    for name, value in at(copies).items():
        assert point(weighted[name]) == (None if value is None else pytest.approx(value))


@given(MANY)
@settings(max_examples=40, deadline=None)
def test_figures_are_fractions_and_the_truth_has_all_of_them(judged: list[Judged]) -> None:
    assert all(value is None or 0 <= value <= 1 for value in at(judged).values())
    truth = [
        Judged(one.labels, one.complete, tuple(float(label is not False) for label in one.labels)) for one in judged
    ]
    assert {value for value in at(truth).values() if value is not None} <= {1.0}


def test_what_is_undefined_is_none() -> None:
    correct = [Judged((True, True), True, (0.9, 0.9))]
    found = at(correct)
    assert (found["acc_correct"], found["acc_error"], found["f1"]) == (1.0, None, None)
    # No step is wrong: PRMBench's class without errors, whose score is the F1 of right steps alone.
    assert (found["step_f1_right"], found["step_f1_wrong"], found["prm_score"]) == (1.0, None, 1.0)
    assert at([Judged((True,) * 4, True, (0.9, 0.9, 0.9, 0.1))])["prm_score"] == pytest.approx(6 / 7)
    assert at([Judged((True, True), True, (0.9, 0.1))])["step_f1_wrong"] == 0.0
    assert set(at([]).values()) == {None}
    assert set(at([])) == {*FIGURES, "auc", "step_auc"}


def test_no_usable_score_is_wrong_whatever_the_label() -> None:
    found = at([Judged((True,), False, (None,)), Judged((False,), False, (None,))])
    assert (found["acc_correct"], found["acc_error"], found["f1"], found["solution_f1"]) == (0.0, 0.0, 0.0, 0.0)


def test_a_step_left_unjudged_is_missed_where_all_must_be_found() -> None:
    one = Judged((True, False, False), True, (0.9, 0.1))
    found = at([one])
    assert found["prm_score"] == 1.0
    assert found["step_macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12))
def test_auc_is_how_often_a_positive_is_above_a_negative(items: list[tuple[int, bool]]) -> None:
    scores, positive = (np.array(column) for column in zip(*items, strict=True))
    found = point(auc(scores.astype(float), positive.astype(bool), np.ones((1, len(items)))))
    ups = [score for score, right in items if right]
    downs = [score for score, right in items if not right]
    wins = [(up > down) + (up == down) / 2 for up, down in itertools.product(ups, downs)]
    assert found == (pytest.approx(sum(wins) / len(wins)) if wins else None)


def test_resamples_are_the_same_every_time_and_independent_between_parts() -> None:
    draw = Bootstrap(50).weights
    assert (draw(20, 0) == draw(20, 0)).all()
    assert not (draw(20, 0) == draw(20, 1)).all()
    assert (draw(20, 0)[0] == 1).all()
    assert (draw(20, 0).sum(axis=1) == 20).all()


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_an_interval_holds_its_figure_and_narrows_with_more_items(hits: int, misses: int) -> None:
    def width(times: int) -> float:
        judged = [Judged((True,), False, (1.0,))] * (hits * times) + [Judged((True,), False, (0.0,))] * (misses * times)
        values = figures(judged, 0.5, Bootstrap(200).weights(len(judged), 0))["acc_correct"]
        bounds = interval(values)
        assert bounds is not None
        low, high = bounds
        assert low <= (point(values) or 0) <= high
        return high - low

    assert width(16) <= width(1)


@given(MANY, st.sampled_from([0.25, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_no_interval_collapses_and_draws_do_not_change_figures(judged: list[Judged], threshold: float) -> None:
    bootstrap = Bootstrap(200)
    found = figures(judged, threshold, bootstrap.weights(len(judged), 0))
    made = drawn(found, judged, threshold, bootstrap.normals(NORMALS, 0))
    for name, draws in made.items():
        assert point(draws) == (None if point(found[name]) is None else pytest.approx(point(found[name])))
        bounds = interval(draws)
        if bounds is not None:
            assert 0 <= bounds[0] < bounds[1] <= 1
            assert bounds[0] - 1e-9 <= (point(draws) or 0) <= bounds[1] + 1e-9


@given(st.integers(0, 50), st.integers(1, 50))
def test_drawn_rates_have_wilsons_interval(hits: int, misses: int) -> None:
    draws = wilson_limits(hits, hits + misses, Bootstrap(1000).normals(1, 0)[0])
    assert interval(draws) == pytest.approx(wilson_interval(hits, hits + misses), abs=0.003)


def test_a_mean_leaves_out_parts_that_have_no_such_figure() -> None:
    nowhere = np.array([np.nan, 0.5])
    parts = [np.array([0.2, 0.4]), nowhere, np.array([0.6, 0.8])]
    assert mean(parts).tolist() == pytest.approx([0.4, 0.6])
    assert mean(parts, [3, 100, 1]).tolist() == pytest.approx([0.3, 0.5])
    assert point(mean([nowhere])) is None
