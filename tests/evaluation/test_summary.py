"""The figures of a summary, and which of them a reader is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tests.runtime.own import Long, Writer
from tts.budget import Limits, scope
from tts.evaluation.summary import Tally, summarize


def tallied(problems: Sequence[Sequence[bool]]) -> Tally:
    tally = Tally()
    for number, labels in enumerate(problems):
        usual: dict[str, Any] = {"error": None, "limits_hit": [], "correct": any(labels), "majority_correct": False}
        solutions = [{"steps": ["x"], "correct": right, "scores": [], "votes": []} for right in labels]
        tally.add({"id": str(number), "answer": "1", **usual, "solutions": solutions})
    return tally


@given(st.lists(st.lists(st.booleans(), max_size=5), min_size=1, max_size=6), st.randoms())
def test_pass_at_1_is_a_mean_over_problems_in_whatever_order(problems: list[list[bool]], random: Any) -> None:
    with scope("run", Limits()) as meter:
        found = summarize(tallied(problems), meter, {})["pass_at_1"]
        random.shuffle(problems)
        assert summarize(tallied(problems), meter, {})["pass_at_1"] == found
    shares = [sum(labels) / len(labels) for labels in problems if labels]
    assert found == (pytest.approx(sum(shares) / len(shares)) if shares else None)


@pytest.mark.parametrize(
    ("search", "guided"), [("best_of_n", False), ("majority", False), ("beam", True), ("resample", True)]
)
def test_candidates_of_a_guided_search_are_not_called_samples(search: str, guided: bool) -> None:
    evaluation = tts.evaluate(
        task="arithmetic", limit=2, search=search, n=4, policy=Writer(), verifier=Long(), sandbox="none"
    )
    assert evaluation.summary["guided"] is guided
    shown = str(evaluation)
    assert [name in shown for name in ("majority of", "one sample (pass@1)")] == [not guided] * 2
    assert "(oracle)" in shown


def test_simulated_answers_and_virtual_time_are_marked() -> None:
    evaluation = tts.evaluate(
        "engine@policy.engine=simulated",
        "clock=virtual",
        task="arithmetic",
        limit=2,
        search="majority",
        n=2,
        policy="simulated",
    )
    assert evaluation.summary["simulated"] == ["answers", "time"]
    shown = " ".join(str(evaluation).split())
    assert "this search (SIMULATED)" in shown
    assert "s of virtual time" in shown
    real = tts.evaluate(task="arithmetic", limit=1, search="majority", n=2, policy=Writer(), sandbox="none")
    assert real.summary["simulated"] == []
    assert "SIMULATED" not in str(real)
