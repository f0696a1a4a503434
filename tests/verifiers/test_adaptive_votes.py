"""Adaptive votes: the error of the sequential test, enumerated, and that no vote is asked for that is not needed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import comb, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.fakes import PROBLEM, Voter, solution_of, through
from tts.core import Problem, Solution, Verdict
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from verifiers.adaptive_votes import AdaptiveVotes, SequentialTest
from verifiers.first_error_stop import FirstErrorStop
from verifiers.vote_rule import RULES, VoteRule
from verifiers.voting import mean

SCORES = st.sampled_from([0.0, 0.03, 0.3, 0.5, 0.6, 0.97, 1.0])
CONFIDENCES = st.sampled_from([0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0])


def stopped(test: SequentialTest, values: list[float]) -> int:
    """After how many of the votes, in their order, the verdict is settled."""
    return next(n for n in range(1, len(values) + 1) if test.settled(values[:n], n))


def right(values: list[float], needed: float) -> bool:
    score = mean(values)
    assert score is not None
    return score >= needed


@given(st.lists(SCORES, min_size=1, max_size=6), CONFIDENCES, st.sampled_from([0.2, 0.5, 0.7]))
def test_over_all_orders_of_any_votes_the_error_is_at_most_one_less_the_confidence(
    values: list[float], confidence: float, needed: float
) -> None:
    test = SequentialTest(len(values), needed, confidence)
    orders = list(permutations(values))
    wrong = sum(right(list(o[: stopped(test, list(o))]), needed) != right(values, needed) for o in orders)
    assert wrong <= (1 - confidence) * len(orders) + 1e-9


def error_of_hard_votes(test: SequentialTest, yes: int) -> tuple[float, float]:
    """The exact probability of a wrong verdict where `yes` of all K votes say Yes, and the mean number of votes cast."""
    truth = yes / test.votes >= test.needed
    paths: dict[tuple[float, ...], float] = {(): 1.0}
    wrong = cast = 0.0
    while paths:
        going: dict[tuple[float, ...], float] = {}
        for path, p in paths.items():
            for bit, chance in ((1.0, yes - sum(path)), (0.0, test.votes - yes - (len(path) - sum(path)))):
                q = p * chance / (test.votes - len(path))
                if q == 0:
                    continue
                longer = (*path, bit)
                if test.settled(longer, len(longer)):
                    wrong += q * (right(list(longer), test.needed) != truth)
                    cast += q * len(longer)
                else:
                    going[longer] = q
        paths = going
    return wrong, cast


@pytest.mark.parametrize("votes", [2, 5, 8, 12])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_error_of_hard_votes_is_bounded_whatever_they_are(votes: int, confidence: float) -> None:
    for needed in (0.3, 0.5, 0.8):
        test = SequentialTest(votes, needed, confidence)
        results = [error_of_hard_votes(test, yes) for yes in range(votes + 1)]
        assert max(wrong for wrong, _ in results) <= 1 - confidence + 1e-12
        # Votes that all agree cost less than all of them, and never err.
        assert results[0][0] == results[-1][0] == 0
        if votes > 2:
            assert results[-1][1] < votes


def test_how_many_unanimous_votes_of_eight_settle_a_verdict() -> None:
    # With certainty 4 Yes of 8 (4 reach the mean 0.5) and 5 No. Where 4 of the 8 say No, the first 3 do so by chance with
    # probability (4/8)(3/7)(2/6) = 1/14.
    assert comb(4, 3) / comb(8, 3) == pytest.approx(1 / 14)
    for confidence, yes, no in ((1.0, 4, 5), (0.98, 4, 4), (0.9, 3, 3), (0.75, 2, 2), (0.0, 1, 1)):
        test = SequentialTest(8, 0.5, confidence)
        assert (stopped(test, [1.0] * 8), stopped(test, [0.0] * 8)) == (yes, no)


@given(st.lists(st.one_of(st.none(), SCORES), min_size=1, max_size=8), st.sampled_from(sorted(RULES)), SCORES)
async def test_with_confidence_one_the_verdict_is_that_of_all_votes(
    votes: list[float | None], rule: str, threshold: float
) -> None:
    threshold = threshold or 0.5
    ballots = [[vote] for vote in votes]
    everything = await VoteRule(Voter(ballots), rule=rule, threshold=threshold).verify(PROBLEM, solution_of(1))
    voter = Voter(ballots)
    verdict = await AdaptiveVotes(voter, confidence=1.0, rule=rule, threshold=threshold).verify(PROBLEM, solution_of(1))
    side = 0.5 if rule == "majority" else threshold
    assert verdict.first_error(side) == everything.first_error(side)
    # Nothing more was asked for than it takes to be certain.
    cast = len(voter.asked)
    here = [RULES[rule].value(vote, threshold) for vote in votes[: cast - 1] if vote is not None]
    needed = RULES[rule].needed(threshold)
    for last in (0.0, 1.0):
        reached = mean([*here, *[last] * (len(votes) - cast + 1)])
        assert reached is None or not here or (reached >= needed) == (last == 1.0)


@given(
    st.integers(1, 4).flatmap(
        lambda steps: st.lists(st.lists(SCORES, min_size=steps, max_size=steps), min_size=1, max_size=6)
    ),
    CONFIDENCES,
    st.sets(st.integers(1, 4)),
)
async def test_going_on_and_judging_at_once_come_to_the_same(
    ballots: list[list[float]], confidence: float, ends: set[int]
) -> None:
    steps = len(ballots[0])
    voter, whole = Voter(ballots), Voter(ballots)
    parts = await through(
        AdaptiveVotes(voter, confidence=confidence),
        solution_of(steps),
        sorted(e for e in ends if e < steps),
        lambda v: v,
    )
    assert parts == await AdaptiveVotes(whole, confidence=confidence).verify(PROBLEM, solution_of(steps))
    assert voter.asked == whole.asked
    assert set(voter.asked.values()) == {1}


async def test_a_chain_goes_on_only_as_far_as_a_step_needs_it() -> None:
    # The second step alone is in doubt: its votes have to judge the first before it, and nobody asks them about the third.
    ballots = [[1.0, float(number % 2), 1.0] for number in range(12)]
    voter = Voter(ballots)
    verdict = await AdaptiveVotes(voter, confidence=0.9).verify(PROBLEM, solution_of(3))
    depth = [sum((number, step) in voter.asked for step in range(3)) for number in range(len(ballots))]
    assert depth == [3] * depth.count(3) + [2] * depth.count(2) + [0] * depth.count(0)
    assert 0 < depth.count(3) < depth.count(2)
    assert [len(vote.scores) for vote in verdict.votes] == [d for d in depth if d]
    assert verdict.scores[0] == verdict.scores[2] == 1.0


class Whole(Voter):
    """Its votes judge solutions as wholes."""

    by_step = False
    traits = VerifierTraits(lacks=("prefixes",))

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        return await super().vote(problem, solution, number)


async def test_votes_on_wholes_are_cast_until_every_step_is_settled() -> None:
    ballots = [[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    voter = Whole(ballots)
    verifier = AdaptiveVotes(voter, confidence=1.0)
    verdict = await verifier.verify(PROBLEM, solution_of(2))
    assert sorted(voter.asked) == [(number, step) for number in range(6) for step in range(2)]
    assert verdict.scores == (1.0, 4 / 6)
    assert verifier.traits.lacks == ("prefixes",)
    # What is judged as a whole is judged anew where it has got longer.
    assert await through(verifier, solution_of(2), [1], lambda later: later) == verdict


async def test_one_reward_for_the_whole_stays_one() -> None:
    class Rewarder(Whole):
        async def vote(
            self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None
        ) -> Verdict:
            verdict = await super().vote(problem, solution, number)
            return replace(verdict, scores=verdict.scores[-1:])

    for made in (VoteRule(Rewarder([[0.0, 0.8]] * 4)), AdaptiveVotes(Rewarder([[0.0, 0.8]] * 4))):
        assert (await made.verify(PROBLEM, solution_of(2))).scores == pytest.approx((0.8,))


async def test_it_asks_nothing_behind_an_error_inside_first_error_stop() -> None:
    voter = Voter([[1.0, 0.0, 1.0]] * 8)
    verdict = await FirstErrorStop(AdaptiveVotes(voter)).verify(PROBLEM, solution_of(3))
    assert verdict.scores == (1.0, 0.0)
    assert sorted(voter.asked) == [(number, step) for number in range(3) for step in range(2)]


async def test_votes_without_a_score_have_no_part() -> None:
    voter = Voter([[None]] * 3)
    assert (await AdaptiveVotes(voter).verify(PROBLEM, solution_of(1))).scores == (None,)
    assert len(voter.asked) == 3
    voter = Voter([[None], [1.0], [1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    verdict = await AdaptiveVotes(voter, confidence=0.9).verify(PROBLEM, solution_of(1))
    assert verdict.scores == (1.0,)
    assert len(voter.asked) == 4


def test_bounds_and_needs() -> None:
    made = AdaptiveVotes(Voter([[1.0]], votes=2), votes=8)
    assert (made.votes, made.token_bound(3)) == (8, 240)
    with pytest.raises(UserError, match=r"^confidence=1\.5"):
        AdaptiveVotes(Voter([[1.0]]), confidence=1.5)
    with pytest.raises(UserError, match=r"^confidence=inf"):
        AdaptiveVotes(Voter([[1.0]]), confidence=inf)
