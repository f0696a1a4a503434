"""What holds for every policy and verifier, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from tts.budget import LimitReached, Limits, Usage, charge, scope
from tts.core import Attachment, Problem, Solution, Verdict
from tts.core.errors import ProblemError
from tts.core.traits import PolicyTraits
from tts.runtime.contracts import VERIFIER
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from verifiers.base import BaseVerifier

PROBLEM = Problem("p", "?")


class Saying(BaseVerifier):
    """A verifier that says what it is told to."""

    votes = 1

    def __init__(self, scores: tuple[float | None, ...], error: Exception | None = None) -> None:
        self.scores, self.error = scores, error
        self.prior: Verdict | None = None

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        self.prior = prior
        if self.error:
            raise self.error
        return Verdict(self.scores)


def solution(steps: int) -> Solution:
    return Solution("x" * steps, ("x",) * steps, "stop")


scores = st.lists(st.none() | st.floats(), max_size=5).map(tuple)


@given(scores, st.integers(0, 5))
async def test_a_verdict_is_a_number_or_none_for_each_step_or_an_error(given_scores: tuple, steps: int) -> None:
    n = len(given_scores)
    finite = all(score is None or math.isfinite(score) for score in given_scores)
    stopped = n < steps and any(score is not None and score < 0.5 for score in given_scores)
    fits = n in (1, steps) or stopped
    context = nullcontext() if finite and fits else pytest.raises(ProblemError, match="the verifier Saying returned")
    with context:
        verdict = await CheckedVerifier(Saying(given_scores)).verify(PROBLEM, solution(steps))
        assert verdict.scores == given_scores


async def test_a_plug_in_that_is_older_than_votes_casts_its_verdict() -> None:
    class Older:
        traits, votes = Saying.traits, 1
        verify, token_bound = Saying.verify, Saying.token_bound
        check, preview = Saying.check, Saying.preview
        prior, error, scores = None, None, (0.9, 0.8)

    assert not hasattr(Older, "vote")
    verifier = CheckedVerifier(VERIFIER.checked(Older()))  # type: ignore[arg-type, type-var]
    assert (await verifier.vote(PROBLEM, solution(2), 3)).scores == (0.9, 0.8)


async def test_blank_text_behind_the_last_step_need_not_be_judged() -> None:
    blank = Solution("x\n\n", ("x", "", " \n"), "stop")
    assert (await CheckedVerifier(Saying((0.9,))).verify(PROBLEM, blank)).scores == (0.9,)
    two = Solution("", ("x", "y", ""), "stop")
    assert (await CheckedVerifier(Saying((0.9, 0.8))).verify(PROBLEM, two)).scores == (0.9, 0.8)


@pytest.mark.parametrize("error", [LimitReached("run.tokens"), ExceptionGroup("", [LimitReached("run.tokens")])])
async def test_a_limit_met_while_judging_leaves_no_score(error: Exception) -> None:
    verdict = await CheckedVerifier(Saying((0.9,), error)).verify(PROBLEM, solution(2))
    assert verdict.scores == (None, None)


async def test_nobody_has_to_go_on_from_a_verdict_that_a_limit_kept_back() -> None:
    inner = Saying((0.9, 0.8), LimitReached("run.seconds"))
    verifier = CheckedVerifier(inner)
    limited = await verifier.verify(PROBLEM, solution(1))
    inner.error = None
    given_verdict = await verifier.verify(PROBLEM, solution(2), limited)
    assert (given_verdict.scores, inner.prior) == ((0.9, 0.8), None)
    await verifier.verify(PROBLEM, solution(2), given_verdict)
    assert inner.prior is given_verdict


async def test_a_used_up_budget_is_not_even_asked_for_a_verdict() -> None:
    verifier = Saying((), AssertionError("asked"))
    with scope("run", Limits(tokens=5)) as meter:
        charge("policy", Usage(completion_tokens=5))
        assert (await CheckedVerifier(verifier).verify(PROBLEM, solution(3))).scores == (None,) * 3
    assert meter.hit == {"run.tokens"}


async def test_other_faults_of_a_verifier_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        await CheckedVerifier(Saying((), ZeroDivisionError())).verify(PROBLEM, solution(1))


class Spending(BasePolicy):
    """A policy that runs into a limit after some solutions."""

    splits = True
    closed = 0

    async def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution]:
        try:
            for index in range(2):
                yield Solution("x", ("x",), "stop", index)
            raise LimitReached("problem.tokens")
        finally:
            self.closed += 1

    steps = revisions = solutions


@pytest.mark.parametrize("way", ["solutions", "steps"])
async def test_solutions_end_where_the_budget_does(way: str) -> None:
    policy = Spending()
    landed = [s async for s in getattr(LimitedPolicy(policy), way)(PROBLEM, Solution(), 8)]
    assert [s.index for s in landed] == [0, 1]


async def test_closing_reaches_the_policy() -> None:
    policy = Spending()
    landing = LimitedPolicy(policy).solutions(PROBLEM, Solution(), 8)
    await anext(landing)
    await landing.aclose()
    assert policy.closed == 1


class Seeing(Spending):
    traits = PolicyTraits(attachments=True)


@pytest.mark.parametrize("way", ["solutions", "steps", "revisions"])
async def test_attachments_are_for_policies_that_mind_them(way: str) -> None:
    problem = Problem("p", "?", attachments=(Attachment("image", "a.png"),))
    more = ("no",) if way == "revisions" else ()
    with pytest.raises(ProblemError, match=r"problem p comes with image a\.png, but Spending reads text only"):
        await anext(getattr(LimitedPolicy(Spending()), way)(problem, Solution(), *more, 1))
    seen = [solution async for solution in LimitedPolicy(Seeing()).solutions(problem, Solution(), 2)]
    assert [solution.index for solution in seen] == [0, 1]
