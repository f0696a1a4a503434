"""Laws of best-of-N and majority."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.best_of_n import BestOfN
from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.aggregate import AGGREGATORS, aggregate
from tts.core.errors import UserError
from tts.core.selection import SELECTIONS
from tts.core.tree import choose, load_tree, save_tree, tree_path

PROBLEM = Problem("p", "?", "1")

scores = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=4).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], list[tuple[float | None, ...]], list[int]]:
    answers = draw(st.lists(st.sampled_from(["1", "2", "3", ""]), min_size=1, max_size=12))
    given_scores = draw(st.lists(scores, min_size=len(answers), max_size=len(answers)))
    return answers, given_scores, draw(st.permutations(range(len(answers))))


async def best(case: tuple, aggregator: str | None = None, selection: str = "argmax") -> SearchResult:
    answers, given_scores, arrival = case
    strategy = BestOfN(len(answers), aggregator=aggregator, selection=selection)
    return await strategy.search(PROBLEM, GivenPolicy(answers, arrival), GivenVerifier(given_scores), PlainGrader())


@pytest.mark.parametrize("selection", ["argmax", "weighted_vote"])
@pytest.mark.parametrize("aggregator", AGGREGATORS)
@given(case=cases())
async def test_the_order_of_arrival_changes_nothing(case: tuple, aggregator: str, selection: str) -> None:
    answers, given_scores, _ = case
    result = await best(case, aggregator, selection)
    in_order = await best((answers, given_scores, range(len(answers))), aggregator, selection)
    assert result.candidates == in_order.candidates
    assert result.chosen == in_order.chosen


@pytest.mark.parametrize("aggregator", AGGREGATORS)
@given(case=cases())
async def test_argmax_takes_the_highest_score_among_the_answered(case: tuple, aggregator: str) -> None:
    result = await best(case, aggregator)
    answered = [c for c in result.candidates if c.answer is not None]
    if not answered:
        assert result.answer is None
        return
    values = [c.score for c in answered if c.score is not None]
    if values:
        assert result.candidates[result.chosen].score == max(values)
    else:
        # Without one usable verdict the vote decides.
        counts = Counter(c.answer for c in answered)
        assert counts[result.answer] == max(counts.values())


@given(case=cases())
async def test_weighted_vote_takes_the_answer_with_the_largest_sum(case: tuple) -> None:
    result = await best(case, "mean", "weighted_vote")
    sums: dict[str, float] = {}
    for c in result.candidates:
        if c.answer is not None:
            sums[c.answer] = sums.get(c.answer, 0.0) + (c.score or 0.0)
    if sums:
        assert math.isclose(sums[result.answer], max(sums.values()))
        members = [c.score or 0.0 for c in result.candidates if c.answer == result.answer]
        assert (result.candidates[result.chosen].score or 0.0) == max(members)


@given(case=cases())
async def test_equal_scores_leave_the_choice_to_the_majority(case: tuple) -> None:
    answers, _, arrival = case
    flat = await best((answers, [(0.7,)] * len(answers), arrival))
    vote = await Majority(len(answers)).search(PROBLEM, GivenPolicy(answers, arrival), GivenVerifier([]), PlainGrader())
    assert flat.answer == vote.answer
    weighted = await best((answers, [(0.7,)] * len(answers), arrival), selection="weighted_vote")
    assert weighted.answer == vote.answer


@given(case=cases())
async def test_majority_is_a_most_frequent_answer_and_asks_no_verifier(case: tuple) -> None:
    answers, _, arrival = case
    verifier = GivenVerifier([])
    result = await Majority(len(answers)).search(PROBLEM, GivenPolicy(answers, arrival), verifier, PlainGrader())
    counts = Counter(answer for answer in answers if answer)
    assert not verifier.asked
    assert result.answer is None if not counts else counts[result.answer] == max(counts.values())


@given(case=cases())
async def test_every_candidate_is_judged_once_and_stands_in_the_tree(case: tuple) -> None:
    answers, given_scores, arrival = case
    verifier = GivenVerifier(given_scores)
    result = await BestOfN(len(answers)).search(PROBLEM, GivenPolicy(answers, arrival), verifier, PlainGrader())
    assert sorted(verifier.asked) == list(range(len(answers)))
    assert len(result.tree.nodes) == len(answers) + 1
    for number, candidate in enumerate(result.candidates, 1):
        assert result.tree.nodes[number].text == candidate.solution.text
        assert result.tree.nodes[number].score == candidate.score


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("aggregator", [None, *AGGREGATORS])
@given(case=cases())
async def test_the_choice_follows_from_the_saved_tree_alone(
    case: tuple, aggregator: str | None, selection: str
) -> None:
    result = await best(case, aggregator, selection)
    with tempfile.TemporaryDirectory() as folder:
        save_tree(result.tree, Path(folder))
        tree = load_tree(tree_path(Path(folder), PROBLEM.id))
    assert tree == result.tree
    assert choose(tree) == tree.chosen == (None if result.chosen is None else result.chosen + 1)


@given(case=cases(), judged=st.integers(0, 12))
async def test_the_choice_follows_from_the_tree_also_where_the_budget_ended_the_judging(
    case: tuple, judged: int
) -> None:
    answers, given_scores, arrival = case

    class Tiring(GivenVerifier):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            verdict = await super().verify(problem, solution, prior)
            return verdict if len(self.asked) <= judged else Verdict((None,) * len(solution.steps))

    policy, verifier = GivenPolicy(answers, arrival), Tiring(given_scores, "min")
    tree = (await BestOfN(len(answers)).search(PROBLEM, policy, verifier, PlainGrader())).tree
    assert choose(tree) == tree.chosen


@given(case=cases())
async def test_settled_majority_is_the_majority(case: tuple) -> None:
    answers, _, arrival = case
    policy, n = GivenPolicy(answers, arrival), len(answers)
    whole = await Majority(n).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    settled = await Majority(n, stop_when_settled=True).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    assert settled.answer == whole.answer
    counts = Counter(answer for answer in answers if answer)
    if counts and max(counts.values()) == n > 2:
        assert len(settled.candidates) == n // 2 + 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_aggregators(values: list[float]) -> None:
    assert aggregate(values, "last") == values[-1]
    assert aggregate(values, "min") == min(values)
    assert aggregate(values, "max") == max(values)
    assert aggregate(values, "prod") == pytest.approx(math.prod(values))
    assert aggregate(values, "mean") == pytest.approx(sum(values) / len(values))
    assert aggregate(values, "sum") == pytest.approx(sum(values))
    for name in AGGREGATORS:
        # A step without a verdict is left out, and never counts as some number.
        assert aggregate([None, *values], name) == aggregate(values, name)
        assert aggregate([None], name) is aggregate([], name) is None
    assert aggregate([*values, None], "last") is None


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"aggregator=median.*prod"):
        BestOfN(1, aggregator="median")
    with pytest.raises(UserError, match=r"selection=x"):
        BestOfN(1, selection="x")
    for strategy in (BestOfN, Majority):
        with pytest.raises(UserError, match=r"n=0"):
            strategy(0)


async def test_the_default_aggregator_is_the_verifiers() -> None:
    verifier = GivenVerifier([(0.9, 0.1), (0.5, 0.5)], aggregator="max")
    result = await BestOfN(2).search(PROBLEM, GivenPolicy(["1", "2"], [0, 1]), verifier, PlainGrader())
    assert result.answer == "1"
    result = await BestOfN(2, aggregator="min").search(
        PROBLEM, GivenPolicy(["1", "2"], [0, 1]), verifier, PlainGrader()
    )
    assert result.answer == "2"
