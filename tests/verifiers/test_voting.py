"""Votes: what they make together, by which rule, and that each can be asked for alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.fakes import PROBLEM, Voter, solution_of, through
from tests.verifiers.generative.test_genprm import PROBLEM as SUM
from tests.verifiers.generative.test_genprm import SOLUTION, STEPS, engine_of
from tests.verifiers.helpers import InProcessSandbox
from tts.core import Solution
from tts.core.errors import UserError
from verifiers.generative.genprm import GenPRM
from verifiers.vote_rule import RULES, VoteRule

SCORES = st.one_of(st.none(), st.floats(0, 1))
BALLOTS = st.integers(1, 4).flatmap(
    lambda steps: st.lists(st.lists(SCORES, min_size=steps, max_size=steps), min_size=1, max_size=6)
)


@given(BALLOTS)
async def test_the_rule_mean_is_what_a_voting_verifier_does(ballots: list[list[float | None]]) -> None:
    solution = solution_of(len(ballots[0]))
    ruled = await VoteRule(Voter(ballots)).verify(PROBLEM, solution)
    assert ruled == await Voter(ballots).verify(PROBLEM, solution)


@given(BALLOTS, st.floats(0.1, 1))
async def test_what_the_rules_say(ballots: list[list[float | None]], threshold: float) -> None:
    solution = solution_of(len(ballots[0]))
    for step, column in enumerate(zip(*ballots, strict=True)):
        there = [score for score in column if score is not None]
        said = {}
        for rule in RULES:
            verdict = await VoteRule(Voter(ballots), rule=rule, threshold=threshold).verify(PROBLEM, solution)
            said[rule] = verdict.scores[step]
        if not there:
            assert set(said.values()) == {None}
            continue
        yes = sum(score >= threshold for score in there)
        assert said["mean"] == math.fsum(there) / len(there)
        assert said["majority"] == yes / len(there)
        assert said["min"] == min(there)
        assert (said["majority"] >= 0.5) == (yes >= len(there) - yes)
        assert (said["min"] >= threshold) == (yes == len(there))


@given(BALLOTS, st.permutations(range(6)))
async def test_the_order_of_votes_does_not_matter(ballots: list[list[float | None]], order: list[int]) -> None:
    solution = solution_of(len(ballots[0]))
    other = [ballots[number] for number in order if number < len(ballots)]
    for rule in RULES:
        a, b = [await VoteRule(Voter(x), rule=rule).verify(PROBLEM, solution) for x in (ballots, other)]
        assert a.scores == b.scores


async def test_votes_go_on_and_judge_nothing_twice() -> None:
    ballots = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
    for made in (lambda voter: voter, VoteRule):
        voter, whole = Voter(ballots), Voter(ballots)
        result = await through(made(voter), solution_of(4), (1, 3), lambda verdict: verdict)
        assert result == await made(whole).verify(PROBLEM, solution_of(4))
        assert voter.asked == whole.asked
        assert set(voter.asked.values()) == {1}


async def test_k_is_the_outer_one_where_it_is_set() -> None:
    voter = Voter([[1.0], [0.0], [0.0], [0.0]], votes=2)
    assert (await VoteRule(voter).verify(PROBLEM, solution_of(1))).scores == (0.5,)
    more = VoteRule(voter, votes=4)
    assert (await more.verify(PROBLEM, solution_of(1))).scores == (0.25,)
    assert (VoteRule(voter).votes, more.votes) == (2, 4)
    assert (VoteRule(voter).token_bound(3), more.token_bound(3)) == (60, 120)


@pytest.mark.parametrize("history", ["own", "shared"])
async def test_single_votes_make_the_same_verdict_in_any_order(history: str) -> None:
    whole = await GenPRM(engine_of(), InProcessSandbox(), votes=3, history=history).verify(SUM, SOLUTION)  # type: ignore[arg-type]
    verifier = GenPRM(engine_of(), InProcessSandbox(), votes=3, history=history)  # type: ignore[arg-type]
    alone = {}
    for number in (2, 0, 1):
        first = await verifier.vote(SUM, Solution("", STEPS[:1]), number)
        alone[number] = await verifier.vote(SUM, SOLUTION, number, first)
    assert tuple(alone[number].votes[0] for number in range(3)) == whole.votes


async def test_a_shared_history_is_continued_from_the_verdict_alone() -> None:
    engine = engine_of()
    prior = await GenPRM(engine, InProcessSandbox(), votes=3, history="shared").verify(SUM, Solution("", STEPS[:2]))
    engine = engine_of()
    later = await GenPRM(engine, InProcessSandbox(), votes=3, history="shared").verify(SUM, SOLUTION, prior)
    assert later == await GenPRM(engine_of(), InProcessSandbox(), votes=3, history="shared").verify(SUM, SOLUTION)
    assert len(engine.requests) == 3 * 3


async def test_the_preview_is_the_first_request() -> None:
    for toggles in ({}, {"analyze": False}, {"verify": False}, {"analyze": False, "verify": False}):
        engine = engine_of()
        verifier = GenPRM(engine, InProcessSandbox(), **toggles)  # type: ignore[arg-type]
        await verifier.verify(SUM, SOLUTION)
        assert verifier.preview(SUM, SOLUTION) == engine.requests[0].prompt + "⟦…⟧"
        assert VoteRule(verifier).preview(SUM, SOLUTION) == "of:\n" + verifier.preview(SUM, SOLUTION)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"votes": 0}, r"^votes=0: at least 1"),
        ({"rule": "median"}, r"^rule=median: .*choose one of mean, majority, min"),
        ({"threshold": 0.0}, r"^threshold=0\.0"),
        ({"threshold": 1.5}, r"^threshold=1\.5: more than 0 and at most 1"),
    ],
)
def test_mistakes_are_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        VoteRule(Voter([[1.0]]), **wrong)  # type: ignore[arg-type]
