"""Estimates from a pool, against the rules themselves over every ordered draw."""

from __future__ import annotations

import itertools
import statistics
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.core.aggregate import AGGREGATORS, aggregate
from tts.core.selection import SELECTIONS, right_choice
from tts.report.curves import Curve, curve, surface
from tts.report.exact import best_of, majority, pass_at
from tts.report.orderings import RULES, Draws
from tts.report.pools import VECTORISED, Pool, pool_of, sizes, vote_scores

Candidate = tuple[int | None, bool, float | None]


@st.composite
def candidates(draw: st.DrawFn, most: int = 5, whole_groups: bool = False) -> list[Candidate]:
    """A problem's candidates; without an answer they may be right all the same, as a recording may say."""
    size = draw(st.integers(2, most))
    groups = draw(st.lists(st.sampled_from([None, 0, 1, 2]), min_size=size, max_size=size))
    by_group = {group: draw(st.booleans()) for group in (None, 0, 1, 2)}
    right = [by_group[group] if whole_groups else draw(st.booleans()) for group in groups]
    scores = draw(st.lists(st.sampled_from([None, 0.1, 0.25, 0.9]), min_size=size, max_size=size))
    return list(zip(groups, right, scores, strict=True))


def pool(problem: list[Candidate]) -> Pool:
    groups, right, scores = zip(*problem, strict=True)
    return Pool(
        np.array([[-1 if group is None else group for group in groups]]),
        np.array([right]),
        np.array([scores], float),
    )


def enumerated(problem: list[Candidate], rule: str, n: int) -> float:
    """The mean over all draws of n candidates in every order, each searched as a run of n would be."""

    def outcome(drawn: tuple[Candidate, ...]) -> bool:
        seen: dict[int, int] = {}
        groups = [None if group is None else seen.setdefault(group, len(seen)) for group, _, _ in drawn]
        chosen = SELECTIONS[rule]([score for _, _, score in drawn], groups)
        return chosen is not None and drawn[chosen][1]

    return statistics.fmean(map(outcome, itertools.permutations(problem, n)))


def numbers(problem: list[Candidate]) -> range:
    return range(1, len(problem) + 1)


@settings(deadline=None)
@given(candidates())
def test_pass_at_n_is_the_share_of_draws_with_a_right_candidate(problem: list[Candidate]) -> None:
    found = pass_at(pool(problem), numbers(problem))[0]
    for n in numbers(problem):
        draws = itertools.combinations([right for _, right, _ in problem], n)
        assert found[n - 1] == pytest.approx(statistics.fmean(map(any, draws)))


@settings(deadline=None)
@given(candidates())
def test_majority_is_the_mean_over_all_draws(problem: list[Candidate]) -> None:
    found = majority(pool(problem), numbers(problem))[0]
    assert found == pytest.approx([enumerated(problem, "majority", n) for n in numbers(problem)])


@settings(deadline=None)
@given(candidates())
def test_best_of_n_is_the_mean_over_all_draws_where_it_says_so(problem: list[Candidate]) -> None:
    found, exact = best_of(pool(problem), numbers(problem))
    if exact[0]:
        assert found[0] == pytest.approx([enumerated(problem, "argmax", n) for n in numbers(problem)])


def test_best_of_n_is_exact_unless_answers_tie_that_differ_in_being_right() -> None:
    alike: list[Candidate] = [(0, True, 0.9), (0, True, 0.9), (1, False, 0.1), (None, False, 0.1), (2, False, 0.1)]
    assert best_of(pool(alike), [1])[1][0]
    assert not best_of(pool([*alike[:2], (1, False, 0.9)]), [1])[1][0]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None)
@given(problem=candidates(4))
def test_drawing_comes_near_the_mean_over_all_draws(rule: str, problem: list[Candidate]) -> None:
    mean, variance = Draws(pool(problem), 4000).accuracies([rule], numbers(problem))[rule]
    for n in numbers(problem):
        # Five and a half standard errors of a rate, at its widest.
        assert abs(mean[0, n - 1] - enumerated(problem, rule, n)) < 0.044
        assert variance[0, n - 1] == pytest.approx(mean[0, n - 1] * (1 - mean[0, n - 1]) / 3999)


@pytest.mark.parametrize("rule", ["cluster_mean", "pessimistic", "pessimistic:0.1", "borda", "top:0.5"])
@settings(max_examples=10, deadline=None)
@given(problem=candidates(4, whole_groups=True))
def test_a_rule_without_a_formula_is_evaluated_itself(rule: str, problem: list[Candidate]) -> None:
    found = curve(pool(problem), rule, numbers(problem), draws=2400)
    for n in numbers(problem):
        # Five and a half standard errors of a rate of 600 draws, at its widest.
        assert abs(found.values[0, n - 1] - enumerated(problem, rule, n)) < 0.113


@settings(deadline=None, max_examples=40)
@given(st.lists(candidates(4).filter(lambda problem: len(problem) == 4), min_size=1, max_size=5))
def test_all_candidates_give_what_a_run_of_them_gives_where_nothing_is_tied(problems: list[list[Candidate]]) -> None:
    # Neither two scores nor two sums of different ones are equal.
    distinct = [[(group, right, 3.0**-i) for i, (group, right, _) in enumerate(problem)] for problem in problems]
    parts = [pool(problem) for problem in distinct]
    whole = Pool(*(np.concatenate([getattr(part, key) for part in parts]) for key in ("groups", "right", "scores")))
    for rule in ("argmax", "weighted_vote"):
        last = curve(whole, rule)
        assert last.values[:, -1] == pytest.approx([float(of_all(problem, rule)) for problem in distinct])
        assert last.error[-1] == pytest.approx(0)


def of_all(problem: list[Candidate], rule: str) -> bool:
    """Whether a run of all candidates is right."""
    groups, right, scores = map(list, zip(*problem, strict=True))
    return right_choice(rule, SELECTIONS[rule](scores, groups), groups, right)


@settings(deadline=None, max_examples=40)
@given(candidates(), st.randoms())
def test_a_voted_answer_is_right_or_wrong_in_any_order(problem: list[Candidate], random: Random) -> None:
    shuffled = random.sample(problem, len(problem))
    assert curve(pool(shuffled), "majority").values[0] == pytest.approx(curve(pool(problem), "majority").values[0])
    one_answer = [(0, right, score) for _, right, score in problem]
    for rule in ("majority", "weighted_vote"):
        assert curve(pool(one_answer), rule).values[0].tolist() == [of_all(one_answer, rule)] * len(problem)


@settings(deadline=None)
@given(st.integers(1, 400))
def test_sizes_begin_with_one_and_end_with_all(n: int) -> None:
    found = sizes(n)
    assert (found[0], found[-1]) == (1, n)
    assert list(found) == sorted(set(found))


STEPS = st.lists(st.sampled_from([None, 0.0, 0.3, 1.0]), min_size=1, max_size=4)


@settings(deadline=None)
@given(STEPS, st.integers(0, 3))
def test_scores_of_steps_are_aggregated_as_verdicts_are(steps: list[float | None], before: int) -> None:
    assert set(VECTORISED) == set(AGGREGATORS)
    votes = np.array([[None] * before + steps], float)  # one vote
    for rule in AGGREGATORS:
        expected = aggregate(steps, rule)
        assert vote_scores(votes, rule) == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def recorded(index: int, votes: list[list[float]], answer: int = 0, right: bool = True) -> dict:
    means = [statistics.fmean(step) for step in zip(*votes, strict=True)]
    return {"index": index, "group": answer, "correct": right, "votes": votes, "score": min(means), "scores": means}


def test_a_pool_is_of_samples_of_one_prefix() -> None:
    two = [recorded(0, [[0.5]]), recorded(1, [[0.75]])]
    assert pool_of([two, two]) is not None
    assert pool_of([two, [*two, recorded(2, [[0.5]])]]) is None  # a search that stopped early
    assert pool_of([[two[0], two[0]]]) is None  # one that went on from several beginnings
    assert pool_of([two[:1]]) is None
    assert pool_of([]) is None


def test_all_votes_give_the_recorded_scores_and_fewer_give_other_ones() -> None:
    wrong = recorded(0, [[0.9, 0.9], [0.1, 0.1]], 1, False)  # half of its votes praise it
    right = recorded(1, [[0.6, 0.7, 0.6], [0.6, 0.8, 0.8]])
    found = pool_of([[wrong, right]] * 200)
    assert found is not None
    assert found.aggregator == "min"
    curves: dict[int, Curve] = surface(found, "argmax")
    assert list(curves) == [1, 2]
    assert curves[2].values[:, 1] == pytest.approx(1)
    assert curves[2].error == pytest.approx([0, 0])
    assert curves[1].values[:, 1].mean() == pytest.approx(0.5, abs=6 * curves[1].error[1])
    assert curves[1].error[1] > 0
    assert surface(Pool(found.groups, found.right, found.scores), "argmax") == {}
