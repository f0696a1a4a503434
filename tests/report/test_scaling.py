"""The best division of a budget between candidates and votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.report.scaling import exponents, scaling
from tts.report.statistics import resamples

AT = tuple(sorted({round(1.19**i) for i in range(1, 60)}))
VOTES = AT


def surface(p: float, q: float) -> np.ndarray:
    """Accuracy that misses N**-p of the problems for want of candidates, and K**-q of them for want of votes."""
    k, n = np.meshgrid(VOTES, AT, indexing="ij")
    accuracy = 1 - 0.4 * n**-p - 0.4 * k**-q
    return np.repeat(accuracy[:, :, None], 3, axis=2)


@settings(deadline=None, max_examples=10)
@given(st.floats(0.4, 0.7), st.floats(0.4, 0.7))
def test_a_power_law_is_found(p: float, q: float) -> None:
    """With lambda = 20 the cost is near 20 N K, so that N ~ C^(q / (p + q)) and K ~ C^(p / (p + q)) by Lagrange's rule."""
    found = scaling(surface(p, q), AT, VOTES, (10.0, 200.0), resamples(3))
    assert found is not None
    assert found.n is not None
    assert found.k is not None
    assert found.price == 20
    assert found.n.value == pytest.approx(q / (p + q), abs=0.05)
    assert found.k.value == pytest.approx(p / (p + q), abs=0.05)
    # All problems are alike, so no resample differs.
    assert found.n.low == pytest.approx(found.n.value) == found.n.high


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.01, 30), st.integers(1, 6), st.integers(1, 6))
def test_no_cell_within_the_budget_is_better(seed: int, price: float, columns: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    at, votes = tuple(range(1, columns + 1)), tuple(range(1, rows + 1))
    values = rng.random((rows, columns, 5))
    found = scaling(values, at, votes, (100.0, 100 * price), resamples(5))
    assert found is not None
    for best in found.optima:
        within = [
            values[row, column].mean()
            for row, k in enumerate(votes)
            for column, n in enumerate(at)
            if 100 * n * (1 + price * k) <= best.budget * (1 + 1e-6)
        ]
        assert best.accuracy == pytest.approx(max(within))
        assert values[best.k - 1, best.n - 1].mean() == pytest.approx(best.accuracy)


def test_an_exponent_that_the_largest_k_bounds_is_said_to_be() -> None:
    """Only votes help: K grows to its largest, and stays."""
    values = np.repeat(np.array([0.1, 0.2, 0.3])[:, None, None], 16, 1)
    found = scaling(values, tuple(range(1, 17)), (1, 2, 4), (1.0, 1.0), resamples(1))
    assert found is not None
    assert (found.optima[-1].n, found.optima[-1].k) == (1, 4)
    assert found.limited > 0
    assert "lower bound" in exponents(found)


@pytest.mark.parametrize("tokens", [(0.0, 5.0), (5.0, 0.0), (np.nan, 5.0), (5.0, np.nan)])
def test_without_tokens_there_is_no_budget(tokens: tuple[float, float]) -> None:
    assert scaling(np.ones((2, 2, 1)), (1, 2), (1, 2), tokens, resamples(1)) is None


def test_cells_that_no_run_measured_are_never_best() -> None:
    values = np.array([[[0.5], [np.nan]], [[np.nan], [0.9]]])
    found = scaling(values, (1, 2), (1, 2), (1.0, 1.0), resamples(1))
    assert found is not None
    assert {(best.n, best.k) for best in found.optima} <= {(1, 1), (2, 2)}


def test_a_cheapest_cell_that_no_run_measured_is_not_there() -> None:
    values = np.array([[[np.nan], [0.5]], [[0.6], [0.9]]])
    found = scaling(values, (1, 4), (1, 4), (1.0, 0.5), resamples(1))
    assert found is not None
    assert [(best.budget, best.n, best.k, best.accuracy) for best in found.optima] == [
        (3.0, 1, 4, 0.6),
        (6.0, 1, 4, 0.6),
    ]
    assert scaling(np.full((2, 2, 1), np.nan), (1, 4), (1, 4), (1.0, 0.5), resamples(1)) is None
