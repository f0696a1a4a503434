"""What a sweeper that optimises is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.cli.objective import Objective
from tts.core.errors import UserError


def summary(rate: float | None, policy: int, verifier: int, problems: int = 10) -> dict[str, Any]:
    roles = {"policy": {"completion_tokens": policy}, "verifier": {"completion_tokens": verifier}}
    return {"n_problems": problems, "accuracy": rate, **roles}


rates = st.floats(0, 1)
tokens = st.integers(0, 100_000)


@settings(deadline=None)
@given(rates, tokens, tokens)
def test_without_a_budget_it_is_the_rate(rate: float, policy: int, verifier: int) -> None:
    assert Objective("accuracy").of(summary(rate, policy, verifier)) == rate


@settings(deadline=None)
@given(rates, rates, tokens, tokens, st.integers(1, 20_000))
def test_a_run_within_the_budget_beats_every_run_beyond_it(
    rate: float, other: float, policy: int, verifier: int, budget: int
) -> None:
    objective = Objective("accuracy", budget)
    within = objective.of(summary(rate, 0, 10 * budget))
    found = objective.of(summary(other, policy, verifier))
    assert within == rate
    assert found is not None
    assert (found == other) if policy + verifier <= 10 * budget else (-1 < found < 0)


@settings(deadline=None)
@given(rates, rates, st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_beyond_the_budget_the_cheaper_run_is_better(a: float, b: float, budget: int, over: int, more: int) -> None:
    objective = Objective("accuracy", budget)
    cheaper = objective.of(summary(a, 0, 10 * (budget + over)))
    dearer = objective.of(summary(b, 0, 10 * (budget + over + more)))
    assert cheaper is not None
    assert dearer is not None
    assert dearer < cheaper < 0


def test_the_tokens_of_every_role_count() -> None:
    objective, found = Objective("accuracy", 10), summary(0.5, 50, 50)
    assert objective.of(found) == 0.5
    assert objective.of({**found, "completer": {"completion_tokens": 100}}) == pytest.approx(10 / 20 - 1)


def test_a_rate_that_is_undefined_is_none_and_one_that_is_not_there_a_mistake() -> None:
    assert Objective("accuracy", 5).of(summary(None, 1, 1)) is None
    with pytest.raises(UserError, match=r"^metric=acuracy: .* it has accuracy"):
        Objective("acuracy").of(summary(0.5, 1, 1))
    with pytest.raises(UserError, match=r"^tokens=0"):
        Objective("accuracy", 0)


@pytest.mark.parametrize("metric", ["policy", "n_problems", "wall_s", "config_hash"])
def test_what_is_no_rate_is_no_objective(metric: str) -> None:
    other = {"wall_s": 0.5, "dollars": 0.0, "config_hash": "0a"}
    with pytest.raises(UserError, match=rf"^metric={metric}: .* it has accuracy$"):
        Objective(metric).of(summary(0.5, 1, 1) | other)


def test_a_judge_has_no_policy() -> None:
    judged = {"n_problems": 2, "f1": 0.5, "verifier": {"completion_tokens": 40}}
    assert Objective("f1", 20).of(judged) == 0.5
    assert Objective("f1", 10).of(judged) == -0.5
