"""Statistics, fronts and choices."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tts.report.budgets import choices, front, round_budgets, savings
from tts.report.statistics import differences, mcnemar, means, rate, rates, resamples
from tts.statistics.metrics import wilson_interval

OUTCOME = st.sampled_from([0.0, 1.0, math.nan])


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.tuples(OUTCOME, OUTCOME), min_size=1, max_size=30))
def test_a_difference_is_paired_and_knows_no_problem_that_either_failed_in(rows: list[tuple[float, float]]) -> None:
    values = np.array(rows)
    found = differences(values, resamples(len(rows)))
    both = [(a, b) for a, b in rows if not math.isnan(a + b)]
    assert (found == {}) == (not both)
    if both:
        difference = found[0, 1]
        assert difference.mean == pytest.approx(sum(a - b for a, b in both) / len(both))
        assert (difference.won, difference.lost) == (both.count((1, 0)), both.count((0, 1)))
        if difference.low is None or difference.high is None:
            assert len({a - b for a, b in both}) == 1  # there is nothing to draw
        else:
            assert difference.low - 1e-9 <= difference.mean <= difference.high + 1e-9
        assert difference.count == len(both)


@settings(deadline=None)
@given(st.lists(OUTCOME, min_size=1, max_size=30))
def test_equal_runs_differ_by_nothing(column: list[float]) -> None:
    for difference in differences(np.array([column, column]).T, resamples(len(column))).values():
        assert (difference.mean, difference.low, difference.high, difference.p) == (0, None, None, 1)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    values = (rng.random((200, 400)) < 0.3).astype(float)
    for found in (means(values, resamples(200)), [rate(column) for column in values.T]):
        held = sum(e.low <= 0.3 <= e.high for e in found if e.low is not None and e.high is not None)
        assert 0.92 < held / 400 < 0.98


@settings(deadline=None)
@given(st.lists(st.tuples(OUTCOME, OUTCOME), min_size=1, max_size=30))
def test_the_reverse_of_a_difference_is_that_of_the_other_order(rows: list[tuple[float, float]]) -> None:
    values = np.array(rows)
    weights = resamples(len(rows))
    for difference in differences(values, weights).values():
        back = differences(values[:, ::-1], weights)[0, 1]
        assert asdict(difference.reversed) == pytest.approx(asdict(back), abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("count", [1, 10])
def test_an_interval_has_a_width_where_all_problems_are_alike(value: float, count: int) -> None:
    column = np.full((count, 1), value)
    low, high = wilson_interval(value * count, count)
    for [found] in (means(column, resamples(count)), rates(column, resamples(count))):
        assert (found.mean, found.low, found.high) == (value, low, high)
        assert high - low > 0.2


def test_seeds_of_a_problem_are_drawn_together() -> None:
    """Ten seeds that always agree tell no more than one."""
    rng = np.random.default_rng(0)
    once = (rng.random((60, 1)) < 0.5).astype(float)
    half = (rng.random((60, 10)) < 0.5).mean(1, keepdims=True)
    agreeing = np.repeat(once, 10, 1).mean(1, keepdims=True)
    [one], [ten], [independent] = (rates(column, resamples(60)) for column in (once, agreeing, half))
    assert one == ten
    assert None not in (one.low, one.high, independent.low, independent.high)
    assert independent.high - independent.low < (one.high - one.low) / 2


def test_rates_over_seeds_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    ease = rng.beta(1, 1, (100, 400))  # problems are as hard as they are, whatever the seed
    found = rates(rng.binomial(4, ease) / 4, resamples(100))
    held = sum(e.low <= 0.5 <= e.high for e in found if e.low is not None and e.high is not None)
    assert 0.91 < held / 400 < 0.98


def test_no_p_is_told_between_different_numbers_of_seeds() -> None:
    """Of equal runs, the mean of three is above the one outcome more often than below it where problems are hard."""
    rng = np.random.default_rng(3)
    values = np.stack([rng.binomial(1, 0.2, 600), rng.binomial(3, 0.2, 600) / 3], 1)
    weights = resamples(len(values))
    difference = differences(values, weights, [1, 3])[0, 1]
    assert difference.p is None
    assert mcnemar(difference.won, difference.lost) < 1e-6
    same = differences(np.stack([rng.binomial(3, 0.2, 600), rng.binomial(3, 0.2, 600)], 1) / 3, weights, [3, 3])[0, 1]
    assert same.p is not None
    assert same.p == pytest.approx(stats.binomtest(same.won, same.won + same.lost).pvalue)
    assert same.p > 0.01


COSTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8)


@settings(deadline=None)
@given(COSTS)
def test_the_front_is_what_no_run_beats(runs: list[tuple[int, int]]) -> None:
    costs, accuracies = [float(cost) for cost, _ in runs], [float(accuracy) for _, accuracy in runs]
    found = front(costs, accuracies)
    beaten = {
        i
        for i, j in itertools.permutations(range(len(runs)), 2)
        if costs[j] <= costs[i] and accuracies[j] >= accuracies[i] and runs[j] != runs[i]
    }
    assert {runs[i] for i in found} == {runs[i] for i in range(len(runs)) if i not in beaten}
    assert [costs[i] for i in found] == sorted({costs[i] for i in found})
    for i, saving in enumerate(savings(costs, accuracies)):
        cheapest = min(cost for cost, accuracy in zip(costs, accuracies, strict=True) if accuracy >= accuracies[i])
        assert math.isnan(saving) if cheapest == 0 else saving == costs[i] / cheapest


def test_budgets_are_round_and_reach_from_the_first_run_to_all() -> None:
    assert round_budgets([30, 900]) == [50, 100, 200, 500, 1000]
    assert round_budgets([100]) == [100]
    assert round_budgets([0, math.nan]) == []


def test_choices_by_bin_use_each_run_where_it_is_best() -> None:
    # Run 0 is right on easy problems and cheap; run 1 on hard ones, and dear; run 2 is dearer than any budget here.
    easy = np.arange(40) < 20
    outcomes = np.stack([easy, ~easy, np.ones(40)], 1).astype(float)
    costs = np.tile([10.0, 100.0, 10000.0], (40, 1))
    cheap, dear = choices(outcomes, costs, np.where(easy, 0, 1).tolist(), [10, 100])
    assert (cheap.run, cheap.per_bin, cheap.adaptive) == (0, (0, 0), 0.5)
    assert (dear.run, dear.per_bin) == (0, (0, 1))
    assert (dear.fixed, dear.adaptive) == (0.5, 1.0)
    assert choices(outcomes, costs, easy.astype(int).tolist(), [5]) == []


def test_what_was_best_by_chance_is_not_so_on_other_problems() -> None:
    rng = np.random.default_rng(1)
    outcomes = (rng.random((60, 50)) < 0.5).astype(float)  # fifty runs, none better than another
    [choice] = choices(outcomes, np.ones((60, 50)), [0] * 60, [1])
    assert outcomes[:, choice.run].mean() > 0.6
    assert abs(choice.fixed - 0.5) < 0.08
