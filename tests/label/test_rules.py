"""Laws of the label rules, and their edge cases."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.label.evidence import Count, Evidence
from tts.label.judged_rules import ByJudge, Consensus
from tts.label.rules import Difference, Hard, Labelled, RelativeProgress, Rule, Soft

TINY = 1e-9


def counts(least: int = 0) -> st.SearchStrategy[Count]:
    totals = st.integers(1, 32)
    return totals.flatmap(lambda total: st.builds(Count, st.integers(min(least, total), total), st.just(total)))


def evidence(least_start: int = 0) -> st.SearchStrategy[Evidence]:
    ends = st.sampled_from([Count(0, 1), Count(1, 1)])
    return st.builds(
        lambda start, steps, end, scores: Evidence(start, (*steps, end), tuple(scores[: len(steps) + 1])),
        counts(least_start),
        st.lists(counts(), max_size=6),
        ends,
        st.lists(st.none() | st.floats(0, 1), min_size=7, max_size=7),
    )


def labels(rule: Rule, of: Evidence) -> Labelled:
    found = rule.label(of)
    assert isinstance(found, Labelled)
    return found


def of(*shares: str, start: str = "4/8") -> Evidence:
    """Evidence from texts such as 3/8."""
    return Evidence(_count(start), tuple(map(_count, shares)))


def _count(text: str) -> Count:
    return Count(*map(int, text.split("/")))


@given(evidence(1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_eps_makes_no_step_right(found: Evidence, one: float, other: float) -> None:
    strict, lax = (labels(RelativeProgress(eps), found).labels for eps in (max(one, other), min(one, other)))
    assert all(weak or not strong for strong, weak in zip(strict, lax, strict=True))


@given(evidence(1))
def test_after_a_zero_everything_is_wrong_by_relative_progress(found: Evidence) -> None:
    made = labels(RelativeProgress(), found).labels
    first = next((t for t, count in enumerate(found.counts) if not count.right), len(made))
    assert not any(made[first:])


@given(evidence(1))
def test_with_a_tiny_eps_it_is_the_hard_label_up_to_the_first_zero(found: Evidence) -> None:
    ratio, hard = labels(RelativeProgress(TINY), found), labels(Hard(), found)
    assert ratio.first_error == hard.first_error
    assert ratio.labels == tuple(all(hard.labels[: t + 1]) for t in range(len(hard.labels)))


@given(evidence())
def test_qwens_labels_are_the_hard_ones_up_to_the_first_wrong_step(found: Evidence) -> None:
    hard, qwen = labels(Hard(), found), labels(Hard(until_error=True), found)
    assert qwen.first_error == hard.first_error
    assert all(label in (None, other) for label, other in zip(qwen.labels, hard.labels, strict=True))
    behind = hard.first_error + 1 if hard.first_error >= 0 else len(hard.labels)
    assert qwen.labels == (*hard.labels[:behind], *(None,) * (len(hard.labels) - behind))


@given(evidence(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_delta_makes_no_step_wrong(found: Evidence, one: float, other: float) -> None:
    strict, lax = (labels(Difference(delta), found).labels for delta in (min(one, other), max(one, other)))
    assert all(weak or not strong for strong, weak in zip(strict, lax, strict=True))
    assert all(labels(Difference(1), found).labels)


@given(evidence(1))
def test_every_rule_labels_every_step_and_says_by_what(found: Evidence) -> None:
    for rule in (Hard(), Soft(), RelativeProgress(), Difference()):
        made = labels(rule, found)
        assert len(made.labels) == len(made.values) == len(found.counts)
        assert None not in made.labels
    shares = [float(count.share or 0) for count in found.counts]
    assert list(labels(Soft(), found).values) == list(labels(Hard(), found).values) == shares


def test_thresholds_are_exact() -> None:
    # 0.4 - 0.5 is below -0.1 in binary, and 4/10 of 5/10 is exactly 0.8.
    assert Fraction(4, 10) / Fraction(5, 10) == Fraction(8, 10)
    assert labels(RelativeProgress(0.8), of("4/10", "1/1", start="5/10")).labels == (True, True)
    assert 0.3 - 0.4 < -0.1
    assert labels(Difference(0.1), of("3/10", "1/1", start="4/10")).labels == (True, True)
    assert labels(RelativeProgress(0.8), of("39/100", "1/1", start="5/10")).labels == (False, True)


def test_relative_progress_by_hand() -> None:
    assert labels(RelativeProgress(), of("8/8", "2/8", "0/8", "8/8", "0/1")).labels == (
        True,
        False,
        False,
        False,
        False,
    )
    # A right answer behind a prefix that no completion solved does not count.
    found = labels(RelativeProgress(), of("0/8", "1/1"))
    assert (found.labels, found.values, found.first_error) == ((False, False), (0.0, 0.0), 0)
    assert labels(RelativeProgress(), of("1/1")).labels == (True,)
    assert RelativeProgress().label(of("1/8", "1/1", start="0/8")) == "unsolved"
    assert RelativeProgress().label(of("1/8", "1/1", start="0/0")) == "not_counted"
    # A step that was not counted, since it comes after a zero, is wrong.
    assert labels(RelativeProgress(), of("0/8", "0/0", "0/1")).labels == (False, False, False)


def test_what_a_search_for_the_first_error_did_not_count_is_filled_in() -> None:
    assert labels(Hard(), of("0/0", "1/4", "0/8", "0/0", "0/1", start="0/0")).labels == (
        True,
        True,
        False,
        False,
        False,
    )
    assert labels(Hard(), of("0/0", "0/0", "1/1", start="0/0")).first_error == -1
    assert Hard().label(of("0/0", "0/0", "0/1")) == "not_counted"
    assert Soft().label(of("0/0", "1/1")) == "not_counted"


def test_a_judge_labels_what_it_scored() -> None:
    found = Evidence(scores=(0.9, 0.5, None, 0.1))
    assert labels(ByJudge(), found).labels == (True, True, None, False)
    assert labels(ByJudge(0.6), found).first_error == 1
    stopped = Evidence(Count(1, 1), (Count(1, 1), Count(1, 1), Count(0, 1)), (0.9, 0.1))
    assert labels(ByJudge(), stopped).labels == (True, False, None)
    assert ByJudge().label(Evidence(scores=(None, None))) == "no_score"
    assert ByJudge().label(of("1/1")) == "no_score"


@given(evidence(1), st.sampled_from([Hard(), Hard(until_error=True), RelativeProgress(), Difference()]))
def test_consensus_is_the_rule_where_the_judge_agrees(found: Evidence, rule: Rule) -> None:
    counted, judged = labels(rule, found), ByJudge().label(found)
    for keep in ("first_error", "all", "steps"):
        made = Consensus(rule, keep=keep).label(found)  # type: ignore[arg-type]
        if isinstance(judged, str):
            assert made == judged
            continue
        pairs = list(zip(counted.labels, judged.labels, strict=True))
        differ = [None not in pair and pair[0] != pair[1] for pair in pairs]
        if keep == "first_error":
            same = counted.first_error == judged.first_error
            assert made == (counted if same else "disagreement")
        elif keep == "all" and any(differ):
            assert made == "disagreement"
        else:
            assert isinstance(made, Labelled)
            assert [label is None for label in made.labels] == [
                odd or pair == (None, None) for odd, pair in zip(differ, pairs, strict=True)
            ]


@pytest.mark.parametrize(
    "make", [lambda: RelativeProgress(0), lambda: Soft(0), lambda: Difference(-0.1), lambda: ByJudge(2)]
)
def test_thresholds_that_cannot_be_are_refused(make: object) -> None:
    with pytest.raises(UserError, match="needed"):
        make()  # type: ignore[operator]
