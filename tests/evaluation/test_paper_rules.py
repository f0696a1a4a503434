"""The six rules, against searches that were run with each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.budget import Limits, scope
from tts.core.aggregate import aggregate
from tts.core.selection import SELECTIONS
from tts.evaluation.paper_rules import RULES, outcomes
from tts.evaluation.summary import Tally, summarize

Row = dict[str, Any]
scores = st.sampled_from([None, 0.1, 0.3, 0.5, 0.9])


@st.composite
def records(draw: st.DrawFn) -> Row:
    """A problem of best-of-N; candidates of one group are right or wrong together."""
    right = draw(st.fixed_dictionaries({group: st.booleans() for group in (None, 0, 1)}))
    solutions = []
    for index in range(draw(st.integers(1, 5))):
        steps = draw(st.integers(1, 4))
        group = draw(st.sampled_from([None, 0, 1]))
        found = draw(st.lists(scores, min_size=steps, max_size=steps))
        solutions.append(
            {
                "index": index,
                "steps": ["x"] * steps,
                "group": group,
                "correct": right[group],
                "scores": found,
                "votes": [],
            }
        )
    return record(solutions)


def record(solutions: Sequence[Mapping[str, Any]]) -> Row:
    usual = {"id": "1", "answer": "1", "error": None, "limits_hit": [], "correct": True, "majority_correct": True}
    return {**usual, "solutions": list(solutions)}


@settings(deadline=None)
@given(records())
def test_each_rule_is_what_a_search_with_it_comes_to(made: Row) -> None:
    found = outcomes(made)
    assert found is not None
    assert len(found) == 6
    for aggregator in ("last", "mean", "min"):
        for selection in ("argmax", "weighted_vote"):
            one = [aggregate(solution["scores"], aggregator) for solution in made["solutions"]]
            chosen = SELECTIONS[selection](one, [solution["group"] for solution in made["solutions"]])
            expected = chosen is not None and made["solutions"][chosen]["correct"]
            assert found[f"{aggregator} {selection}"] == expected


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=4))
def test_the_summary_has_the_mean_of_six(made: list[Row]) -> None:
    found = summary(made)
    each = [outcomes(row) or {} for row in made]
    for name in RULES:
        assert found["rules"][name] == pytest.approx(sum(row[name] for row in each) / len(each))
    assert found["rules_mean"] == pytest.approx(sum(found["rules"].values()) / 6)


def test_where_all_rules_agree_their_mean_is_that_rate() -> None:
    one = {**RIGHT, "scores": [1.0, 1.0, 1.0]}
    made = [record([{**one, "correct": number < 11}]) for number in range(20)]
    assert summary(made)["rules_mean"] == summary(made)["pass_at_1"] == 0.55


def summary(made: Sequence[Row]) -> dict[str, Any]:
    tally = Tally()
    for row in made:
        tally.add(row)
    with scope("run", Limits()) as meter:
        return summarize(tally, meter, {})


RIGHT = {"index": 0, "steps": ["a", "b", "c"], "group": 0, "correct": True, "votes": []}


@pytest.mark.parametrize(
    ("solution", "holds"),
    [
        ({**RIGHT, "scores": [1.0, 1.0, 1.0]}, True),
        ({**RIGHT, "scores": [0.5]}, False),  # judged no further than the first step
        ({**RIGHT, "steps": ["a", "b", " "], "scores": [1.0, 1.0]}, True),  # blank text is not judged
        ({**RIGHT, "scores": [1.0, 0.0]}, False),  # judged no further than the first error
        (RIGHT, False),  # not judged
    ],
)
def test_the_rules_hold_for_whole_verdicts_alone(solution: Row, holds: bool) -> None:
    judged = {**RIGHT, "index": 1, "scores": [1.0, 1.0, 1.0]}
    assert (outcomes(record([judged, solution])) is not None) == holds
    found = summary([record([judged]), record([judged, solution])])
    assert (found["rules_mean"] is not None) == holds


def test_the_rules_hold_for_rewards_of_wholes() -> None:
    rewarded = [{**RIGHT, "scores": [0.5]}, {**RIGHT, "index": 1, "steps": ["a"], "scores": [0.7]}]
    assert outcomes(record(rewarded)) == dict.fromkeys(RULES, True)


def test_without_candidates_no_rule_is_right() -> None:
    assert outcomes(record([])) == dict.fromkeys(RULES, False)
