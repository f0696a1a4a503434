"""Laws of parallel probing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.parallel_probe import ParallelProbe
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.toy import PROBLEM, shape
from tests.search.traces import Traces, traces_
from tts.core import Problem, SearchResult, Solution
from tts.core.tree import choose


async def probe(thoughts: list[list[str]], latency: int = 0, **changes: int) -> tuple[SearchResult, Traces]:
    policy = Traces(thoughts, latency=latency)
    strategy = ParallelProbe(**{"n": len(thoughts), **changes})
    return await strategy.search(PROBLEM, policy, GivenVerifier([]), PlainGrader()), policy


@given(traces_())
async def test_without_stopping_probes_change_nothing_about_the_vote(thoughts: list[list[str]]) -> None:
    result, policy = await probe(thoughts, outlier=99, stable=99)
    votes = Counter(trace[-1] for trace in thoughts)
    assert votes[result.answer or ""] == max(votes.values())
    assert policy.asked == Counter({index: len(trace) for index, trace in enumerate(thoughts)})
    # A trace is probed after each step but its last, which says the answer.
    assert policy.probes == sum(len(trace) - 1 for trace in thoughts)


@pytest.mark.parametrize("limit", range(2, 13))
async def test_a_budget_that_ends_leaves_every_trace_its_last_answer(limit: int) -> None:
    """A trace whose step or probe the budget forbids has the answer of its last probe."""

    class Limited(Traces):
        async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution]:
            if self.asked.total() + self.probes >= self.limit:
                return
            async for step in super().steps(problem, prefix, n, first):
                yield step

    policy = Limited([["7"] * 6] * 2, limit=limit)
    result = await ParallelProbe(2, stable=9, outlier=9).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    assert (result.answer is not None) == (policy.probes > 0)


async def test_a_trace_that_was_cut_is_asked_for_its_answer_once() -> None:
    policy = Traces([["1", "2", "2"], ["1", "1", "1", "1", "2"]], cuts=frozenset({0}))
    result = await ParallelProbe(2, stable=9, outlier=9).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    assert [candidate.answer for candidate in result.candidates] == ["2", "2"]
    assert policy.probes == 3 + 4


@given(st.integers(1, 9), st.integers(1, 9))
async def test_traces_end_at_the_depth_within_the_bound(depth: int, every: int) -> None:
    class Tokens(Traces):
        def token_bound(self, n: int, steps: int | None = None) -> int | None:
            return n * (steps or 1)

    policy, every = Tokens([["1"] * 20] * 2), min(every, depth)
    strategy = ParallelProbe(2, every, depth=depth, stable=99)
    await strategy.search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    assert policy.asked == Counter({0: depth, 1: depth})
    assert policy.asked.total() + policy.probes == strategy.token_bound(policy)


async def test_a_stable_majority_ends_the_search() -> None:
    thoughts = [["2", "1", "1", "1", "1", "1", "1"]] * 3
    result, policy = await probe(thoughts, stable=2, outlier=99)
    assert result.answer == "1"
    assert policy.asked == Counter({0: 3, 1: 3, 2: 3})


async def test_a_trace_that_strays_is_dropped_and_one_that_comes_back_is_not() -> None:
    thoughts = [["1"] * 9, ["1"] * 9, ["1"] * 9, ["2"] * 9, ["2", "1"] * 4 + ["1"]]
    result, policy = await probe(thoughts, warmup=1, outlier=2, stable=99)
    assert policy.asked == Counter({0: 9, 1: 9, 2: 9, 3: 2, 4: 9})
    assert len(result.candidates) == 4


@given(traces_(5), st.integers(0, 50), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
async def test_timing_changes_nothing_about_probing(
    thoughts: list[list[str]], latency: int, every: int, outlier: int, stable: int
) -> None:
    changes = {"every": every, "outlier": outlier, "stable": stable}
    ours, policy = await probe(thoughts, latency, **changes)
    theirs, _ = await probe(thoughts, **changes)
    assert shape(ours) == shape(theirs)
    assert choose(ours.tree) == ours.tree.chosen
    assert ours.answer is not None
    assert policy.asked.total() <= sum(map(len, thoughts))
