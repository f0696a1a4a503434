"""Laws of DeepConf."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from search.best_of_n import BestOfN
from search.deepconf import DeepConf
from tests.search.helpers import PlainGrader
from tests.search.toy import PROBLEM, shape
from tests.search.traces import Levels, Traces, traces_
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.solution import Written
from tts.core.traits import PolicyTraits
from tts.core.tree import choose
from verifiers.base import BaseVerifier
from verifiers.confidence import Confidence


@st.composite
def levelled(draw: st.DrawFn) -> tuple[list[list[str]], list[list[float]]]:
    thoughts = draw(traces_())
    levels = [[draw(st.integers(1, 20)) / 20 for _ in trace] for trace in thoughts]
    return thoughts, levels


async def deepconf(case: tuple, strategy: DeepConf, latency: int = 0) -> tuple[SearchResult, Traces]:
    policy = Traces(case[0], latency=latency)
    return await strategy.search(PROBLEM, policy, Levels(case[1]), PlainGrader()), policy


@given(levelled(), st.integers(1, 4), st.sampled_from([0.1, 0.5, 1.0]))
async def test_a_trace_is_written_up_to_the_step_that_scores_below_the_warm_up(
    case: tuple, warmup: int, keep: float
) -> None:
    thoughts, levels = case
    n = len(thoughts)
    result, policy = await deepconf(case, DeepConf(n, warmup, keep, 1.0))
    first = sorted((min(levels[i]) for i in range(min(warmup, n))), reverse=True)
    threshold = first[ceil(keep * len(first)) - 1]
    for index in range(n):
        weak = next((k for k, level in enumerate(levels[index], 1) if level < threshold), None)
        whole = weak is None or index < warmup
        assert policy.asked[index] == (len(thoughts[index]) if whole else weak)
    kept = [index for index in range(n) if min(levels[index]) >= threshold]
    assert sorted(candidate.solution.index for candidate in result.candidates) == kept
    weights: Counter[str] = Counter()
    for index in kept:
        weights[thoughts[index][-1]] += min(levels[index])  # type: ignore[assignment]
    assert weights[result.answer] == pytest.approx(max(weights.values()))


@given(levelled(), st.integers(1, 4), st.integers(1, 4), st.integers(0, 100))
async def test_neither_timing_nor_the_window_changes_where_deepconf_stops(
    case: tuple, warmup: int, window: int, latency: int
) -> None:
    strategy = DeepConf(len(case[0]), warmup, 0.5, 0.7, window)
    serial = DeepConf(len(case[0]), warmup, 0.5, 0.7, 1)
    (ours, _), (theirs, _) = await deepconf(case, strategy, latency), await deepconf(case, serial)
    assert shape(ours) == shape(theirs)
    assert choose(ours.tree) == ours.tree.chosen


async def test_a_settled_vote_ends_deepconf_and_with_consensus_1_none_is() -> None:
    case = [["1"]] * 20, [[0.5]] * 20
    for consensus, drawn in ((0.9, 4), (1.0, 20)):
        result, policy = await deepconf(case, DeepConf(20, 4, 0.5, consensus, 1))
        assert policy.asked.total() == len(result.candidates) == drawn


class Alike(BasePolicy):
    """Solutions of ten steps of four tokens, all the same: the first four unsure, all others sure."""

    traits = PolicyTraits(logprobs=True)

    def written(self, steps: int, index: int) -> Solution:
        trace = [Written("x", -1.0, -1.0, 2.0 if place < 4 else 9.0) for place in range(4 * steps)]
        text = "\n\n".join(["step"] * steps) + " \\boxed{1}" * (steps == 10)
        return Solution(
            text, ("step",) * steps, "stop" if steps == 10 else "step", index, 4 * steps, trace=tuple(trace)
        )

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        yield self.written(len(prefix.steps) + 1, first)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            yield self.written(10, index)


async def test_a_solution_as_sure_as_the_warm_up_is_not_stopped_before_a_window_is_full() -> None:
    strategy = DeepConf(8, 4, 0.5, 1.0)
    result = await strategy.search(PROBLEM, Alike(), Confidence("lowest", window=16), PlainGrader())
    assert len(result.candidates) == 8
    assert all(candidate.solution.finished for candidate in result.candidates)


@pytest.mark.parametrize("level", [0.0, -1.0, None])
async def test_scores_without_shares_settle_nothing(level: float | None) -> None:
    class Same(BaseVerifier):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            return Verdict((level,))

    policy = Traces([[str(number)] for number in range(12)])
    await DeepConf(12, 4, 0.5, 0.95).search(PROBLEM, policy, Same(), PlainGrader())
    assert policy.asked.total() == 12


@pytest.mark.parametrize("consensus", [0.95, 1.0])
async def test_with_negative_scores_a_solution_without_a_score_is_no_candidate(consensus: float) -> None:
    class Partly(BaseVerifier):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            return Verdict((None if "trace 1 " in solution.text else -1.0,))

    result = await DeepConf(4, 2, 0.5, consensus).search(PROBLEM, Traces([["1"]] * 4), Partly(), PlainGrader())
    assert [candidate.solution.index for candidate in result.candidates] == [0, 2, 3]


@given(levelled(), st.integers(0, 12))
async def test_a_used_up_budget_ends_deepconf(case: tuple, limit: int) -> None:
    policy = Traces(case[0], limit=limit)
    result = await DeepConf(len(case[0]), 2).search(PROBLEM, policy, Levels(case[1]), PlainGrader())
    assert (result.chosen is None) == (not result.candidates)


@given(levelled())
async def test_a_warm_up_of_everything_that_keeps_everything_is_the_weighted_vote(case: tuple) -> None:
    n = len(case[0])
    ours, _ = await deepconf(case, DeepConf(n, n, 1.0))
    vote = BestOfN(n, selection="weighted_vote")
    theirs = await vote.search(PROBLEM, Traces(case[0]), Levels(case[1]), PlainGrader())
    assert (ours.answer, ours.candidates) == (theirs.answer, theirs.candidates)
