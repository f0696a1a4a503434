"""Statistics, fronts and choices."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tts.report.budgets import choices, front, round_budgets, savings
from tts.report.statistics import differences, mcnemar, means, rate, resamples

OUTCOME = st.sampled_from([0.0, 1.0, math.nan])


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)


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
        assert difference.low - 1e-9 <= difference.mean <= difference.high + 1e-9
        assert difference.count == len(both)


@given(st.lists(OUTCOME, min_size=1, max_size=30))
def test_equal_runs_differ_by_nothing(column: list[float]) -> None:
    for difference in differences(np.array([column, column]).T, resamples(len(column))).values():
        assert (difference.mean, difference.low, difference.high, difference.p) == (0, 0, 0, 1)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    values = (rng.random((200, 400)) < 0.3).astype(float)
    for found in (means(values, resamples(200)), [rate(column) for column in values.T]):
        held = sum(e.low <= 0.3 <= e.high for e in found if e.low is not None and e.high is not None)
        assert 0.92 < held / 400 < 0.98


COSTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8)


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
