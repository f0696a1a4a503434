"""A used-up budget: what was paid before it counts, in every verifier that asks several times."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifiers.fakes import PROBLEM, Paid, Voter, pay, solution_of
from tts.budget import Limits, Usage, charge, scope
from tts.core import Problem, Solution, Verdict
from tts.runtime.guards import CheckedVerifier
from verifiers.adaptive_votes import AdaptiveVotes
from verifiers.cascade import Cascade
from verifiers.ensemble import Ensemble
from verifiers.vote_rule import VoteRule

SOLUTION = solution_of(3)
CHEAP, DEAR = (0.5, 1.0, 0.6), (0.1, 0.2, 0.3)
BALLOTS = [(1.0, 0.0, 1.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)]


class PaidVoter(Voter):
    """A voter each of whose votes costs a call, which the budget has to allow."""

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        pay()
        return await super().vote(problem, solution, number, prior)


class Spent(Paid):
    """A judge that finds the budget used up."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        charge("verifier", Usage(calls=9))
        return await super().verify(problem, solution, prior)


async def judged(verifier: Any, calls: int, *prefixes: int) -> tuple[Verdict, set[str]]:
    """Returns the verdict, and what was run into, where no more than `calls` calls are allowed."""
    verdict, checked = None, CheckedVerifier(verifier)
    with scope("problem", Limits(calls=calls)) as meter:
        for end in prefixes:
            steps = SOLUTION.steps[:end]
            verdict = await checked.verify(PROBLEM, Solution("\n\n".join(steps), steps), verdict)
        verdict = await checked.verify(PROBLEM, SOLUTION, verdict)
    return verdict, meter.hit


@pytest.mark.parametrize(("calls", "scores"), [(1, CHEAP), (2, (0.1, 1.0, 0.3))])
async def test_a_cascade_keeps_the_stages_that_were_paid(calls: int, scores: tuple[float, ...]) -> None:
    verdict, hit = await judged(Cascade({"cheap": Paid(CHEAP), "dear": Paid(DEAR)}), calls)
    assert verdict.scores == scores
    assert hit == ({"problem.calls"} if calls == 1 else set())


async def test_a_cascade_keeps_what_a_stage_has_said_of_the_beginning() -> None:
    verdict, hit = await judged(Cascade({"cheap": Paid(CHEAP), "dear": Paid(DEAR)}), 3, 1)
    assert verdict.scores == (0.1, 1.0, 0.6)
    assert hit == {"problem.calls"}


@pytest.mark.parametrize("make", [lambda voter: voter, VoteRule])
@pytest.mark.parametrize("calls", [1, 2, 3])
async def test_votes_that_were_paid_make_the_verdict(make: Any, calls: int) -> None:
    verdict, hit = await judged(make(PaidVoter(BALLOTS)), calls)
    assert verdict.scores == pytest.approx([sum(column) / calls for column in zip(*BALLOTS[:calls], strict=True)])
    assert len(verdict.votes) == calls
    assert hit == {"problem.calls"}


@pytest.mark.parametrize("by_step", [True, False])
async def test_a_step_whose_votes_were_cut_has_the_score_of_those_cast(by_step: bool) -> None:
    voter = PaidVoter([(1.0,) * 3, (0.0,) * 3, (0.0,) * 3, (1.0,) * 3])
    voter.by_step = by_step
    adaptive = AdaptiveVotes(voter, confidence=1.0)
    # Judging step after step, four votes on the first one and one on the next, which leaves the last without any.
    assert (await judged(adaptive, 5))[0].scores == ((None,) * 3 if by_step else (0.5,) * 3)
    voter.asked.clear()
    cut, hit = await judged(adaptive, 11 if by_step else 3)
    assert cut.scores == ((0.5, 0.5, pytest.approx(1 / 3)) if by_step else pytest.approx((1 / 3,) * 3))
    assert hit == {"problem.calls"}


async def test_an_ensemble_is_the_mean_of_the_members_that_were_paid() -> None:
    members = {"a": Paid(CHEAP), "b": Paid(DEAR)}
    assert (await judged(Ensemble(members), 1))[0].scores == CHEAP
    assert (await judged(Ensemble(members), 2))[0].scores == pytest.approx((0.3, 0.6, 0.45))


@pytest.mark.parametrize("make", [Cascade, Ensemble])
async def test_a_budget_that_allows_nothing_leaves_no_score(make: Any) -> None:
    outer = make({"inner": make({"a": Spent(CHEAP), "b": Spent(DEAR)})})
    verdict, hit = await judged(outer, 9)
    assert verdict.scores == (None,) * 3
    assert hit == {"problem.calls"}
