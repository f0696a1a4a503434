"""The selection rules: what each is at the ends of its parameter, and by its definition."""

from __future__ import annotations

import math
import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.core.selection import SELECTIONS, read_rule

Candidates = list[tuple[int | None, float | None]]

SCORES = st.one_of(st.none(), st.floats(0.01, 1).map(lambda score: round(score, 3)))
CANDIDATES = st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), SCORES), min_size=1, max_size=8)


def split(candidates: Candidates) -> tuple[list[float | None], list[int | None]]:
    """Returns scores and groups, which are numbered by first appearance."""
    seen: dict[int, int] = {}
    groups = [None if group is None else seen.setdefault(group, len(seen)) for group, _ in candidates]
    return [score for _, score in candidates], groups


def elected(rule: str, candidates: Candidates) -> int | None:
    """Returns the group of the chosen candidate, as given."""
    chosen = SELECTIONS[rule](*split(candidates))
    return None if chosen is None else candidates[chosen][0]


def worths(rule: str, candidates: Candidates) -> dict[int, float]:
    """Each answer's worth by the rule's definition, written out."""
    name, _, value = rule.partition(":")
    answers = [(group, -math.inf if score is None else score) for group, score in candidates if group is not None]
    found = {}
    for group in {group for group, _ in answers}:
        own = [score for other, score in answers if other == group]
        known = [score for score in own if score > -math.inf]
        if name == "borda":
            ranks = [
                sum(s < score for _, s in answers) + (sum(s == score for _, s in answers) + 1) / 2 for score in own
            ]
            found[group] = sum(rank ** float(value) for rank in ranks)
        elif known:
            found[group] = statistics.fmean(known) - float(value) * math.log(len(candidates)) / (len(own) + 1)
        else:
            found[group] = -math.inf
    return found


@pytest.mark.parametrize("rule", ["pessimistic:0", "pessimistic:0.3", "pessimistic:5", "borda:0.5", "borda:2"])
@given(candidates=CANDIDATES)
def test_the_answer_is_one_that_is_worth_most(rule: str, candidates: Candidates) -> None:
    worth = worths(rule, candidates)
    winner = elected(rule, candidates)
    assert winner is None if not worth else worth[winner] == pytest.approx(max(worth.values()))


def test_the_pessimistic_mean_of_a_case_by_hand() -> None:
    """Of 4: a lone .9 is worth .9 - alpha .693, three of mean .7 are worth .7 - alpha .347, so that alpha = .577 is even."""
    case: Candidates = [(0, 0.9), (1, 0.6), (1, 0.7), (1, 0.8)]
    assert [elected(f"pessimistic:{alpha}", case) for alpha in (0, 0.57, 0.58, 9)] == [0, 0, 1, 1]


@given(CANDIDATES)
def test_the_ends_of_a_parameter_are_the_simple_rules(candidates: Candidates) -> None:
    judged = [(group, 0.5 if score is None else score) for group, score in candidates]
    assert elected("pessimistic:0", candidates) == elected("cluster_mean", candidates)
    assert elected("pessimistic:1e9", judged) in most_frequent(judged)
    assert elected("borda:0", candidates) in most_frequent(candidates)
    assert SELECTIONS["top:1"](*split(candidates)) == SELECTIONS["weighted_vote"](*split(candidates))
    if all(group is not None for group, _ in candidates):
        best = max(-math.inf if score is None else score for _, score in candidates)
        chosen = SELECTIONS["top:0.001"](*split(candidates))
        assert chosen is not None
        assert best == -math.inf or candidates[chosen][1] == best


def most_frequent(candidates: Candidates) -> set[int | None]:
    groups = [group for group, _ in candidates if group is not None]
    return {group for group in groups if groups.count(group) == max(map(groups.count, groups))} or {None}


@given(CANDIDATES, st.sampled_from(["borda", "borda:2", "argmax"]))
def test_rules_of_ranks_see_only_the_order_of_scores(candidates: Candidates, rule: str) -> None:
    stretched = [(group, None if score is None else 100 * score**3 - 7) for group, score in candidates]
    assert SELECTIONS[rule](*split(stretched)) == SELECTIONS[rule](*split(candidates))


@pytest.mark.parametrize("rule", [*SELECTIONS, "top:0.5", "pessimistic:0.05", "borda:3"])
@given(candidates=CANDIDATES, random=st.randoms())
def test_no_rule_looks_at_the_order_unless_answers_are_equally_good(
    rule: str, candidates: Candidates, random: Random
) -> None:
    # No two sums, means or counts of these are equal.
    distinct = [(group, None if score is None else (3.0**i + i) / 1e4) for i, (group, score) in enumerate(candidates)]
    sizes = [sum(group == other for other, _ in distinct) for group in range(3)]
    if len(set(sizes)) == 3 and all(score is not None for _, score in distinct):
        assert elected(rule, random.sample(distinct, len(distinct))) == elected(rule, distinct)


@pytest.mark.parametrize("rule", SELECTIONS)
def test_without_candidates_nothing_is_chosen(rule: str) -> None:
    assert SELECTIONS[rule]([], []) is None


@pytest.mark.parametrize("rule", [name for name in SELECTIONS if name != "majority"])
def test_without_an_answer_the_best_candidate_is_chosen(rule: str) -> None:
    assert SELECTIONS[rule]([0.1, 0.9, None], [None, None, None]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pessimistic:-1", "selection=pessimistic:-1: alpha=-1.0: at least 0 and finite is needed"),
        ("top:0", "selection=top:0: share=0.0: more than 0 and at most 1 is needed"),
        ("top:nan", "share=nan: more than 0"),
        ("borda:inf", "power=inf: at least 0 and finite"),
        ("borda:", "selection=borda:: a number is needed after the colon, the rule's power"),
        ("majority:2", "selection=majority:2: majority has no parameter; write majority"),
        ("bordo:2", "did you mean 'borda'?"),
        ("loudest", "choose one of argmax, weighted_vote, majority, cluster_mean, pessimistic, borda, top"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_message(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        read_rule(text)
    assert message in str(error.value)
    assert text not in SELECTIONS
