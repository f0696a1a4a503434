"""How a decision is read from one token's alternatives."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.generative.slot import Slot

YES_NO = Slot(" Yes", " No")
LOGPROBS = st.floats(-60.0, 0.0)


def softmax(yes: float, no: float) -> float:
    return 1 / (1 + math.exp(no - yes))


@given(LOGPROBS, LOGPROBS, st.dictionaries(st.sampled_from(["Yes", " yes", " Y", " N", " ", "\n"]), LOGPROBS))
def test_two_whole_words_are_compared_and_nothing_else_matters(yes: float, no: float, others: dict) -> None:
    assert YES_NO.read({**others, " Yes": yes, " No": no}) == pytest.approx(softmax(yes, no))


@given(LOGPROBS, LOGPROBS)
def test_the_scores_of_a_decision_and_of_its_opposite_add_up_to_one(yes: float, no: float) -> None:
    top = {" Yes": yes, " No": no}
    there, back = YES_NO.read(top), Slot(" No", " Yes").read(top)
    assert there is not None and back is not None  # noqa: PT018
    assert there + back == pytest.approx(1)


@given(st.dictionaries(st.text(max_size=4), LOGPROBS, max_size=20))
def test_whatever_the_alternatives_a_score_is_a_probability_or_none(top: dict[str, float]) -> None:
    score = YES_NO.read(top)
    assert score is None or 0 <= score <= 1


@given(LOGPROBS, st.dictionaries(st.sampled_from(list("abcdef")), LOGPROBS, min_size=1))
def test_a_word_that_is_not_reported_is_at_most_the_least_likely_that_is(yes: float, others: dict) -> None:
    score = YES_NO.read({" Yes": yes, **others})
    assert score == pytest.approx(softmax(yes, min([yes, *others.values()])))
    assert score is not None
    assert score >= 0.5


@pytest.mark.parametrize(
    ("top", "score"),
    [
        ({" Yes": -1.0}, 1.0),
        ({" No": -1.0}, 0.0),
        ({" Y": -1.0, " N": -2.0}, softmax(-1, -2)),  # cut up: the first sub-token
        ({" Yes": -1.0, " Y": -0.1, " No": -2.0}, softmax(-1, -2)),  # the whole word goes before its beginning
        ({" Yes": -1000.0, " No": -1.0}, 0.0),
        ({" Yes": -math.inf, " No": -1.0}, 0.0),
        ({" Yes": -math.inf, " No": -math.inf}, None),
        ({"Yes": -1.0, "No": -2.0}, None),
        ({" ": -0.1, "": -3.0}, None),
        ({}, None),
    ],
)
def test_read(top: dict[str, float], score: float | None) -> None:
    assert YES_NO.read(top) == (None if score is None else pytest.approx(score))


def test_a_shared_beginning_is_written_out() -> None:
    assert YES_NO.shared({"\n": -0.1, " ": -0.5, " Y": -1.0, "": -0.2}) == " "
    assert YES_NO.shared({"\n": -0.1}) == ""
    assert YES_NO.after(" ") == Slot("Yes", "No")
    assert YES_NO.tokens == 2
    assert Slot("+", "-").tokens == 1
