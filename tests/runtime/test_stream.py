"""A stream of what a search does: its order, its result, and what remains where it is closed early."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.beam import Beam
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS
from tests.runtime.own import Long, Returning, Writer
from tts import ProblemError, Runtime
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, Spent
from tts.core.strategy import SearchStrategy
from tts.runtime.result import Finished

QUESTION = "What is 1 + 1?"
STRATEGIES: list[SearchStrategy] = [BestOfN(n=4), Beam(n=4, width=2), DVTS(n=4, width=2), MCTS(simulations=4)]


async def streamed(runtime: Runtime, **more: object) -> list[Event]:
    return [event async for event in runtime.stream(QUESTION, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
async def test_what_is_told_comes_in_an_order_that_makes_sense(strategy: SearchStrategy) -> None:
    async with Runtime(sandbox="none", policy=Writer(), verifier=Long(), search=strategy) as runtime:
        events = await streamed(runtime)
    *told, chosen, finished = events
    assert isinstance(finished, Finished)
    assert isinstance(chosen, Chosen)
    sampled, judged, expanded = {0}, set[int](), set[int]()
    for event in told:
        match event:
            case Sampled():
                assert event.node not in sampled
                assert event.parent in sampled
                assert event.parent in expanded
                sampled.add(event.node)
            case Judged():
                assert event.node in sampled
                judged.add(event.node)
            case Expanded():
                assert event.node in sampled
                assert event.node not in expanded
                expanded.add(event.node)
            case Spent():
                pass
            case _:
                raise AssertionError(event)
    assert judged
    assert chosen.node in sampled
    assert chosen.answer == finished.result.answer
    assert len(sampled) == len(finished.result.tree.nodes)
    times = [event.at_s for event in events]
    assert times == sorted(times)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
async def test_its_result_is_that_of_a_search(strategy: SearchStrategy) -> None:
    async with Runtime(sandbox="none", policy=Writer(), verifier=Long(), search=strategy) as runtime:
        *_, finished = await streamed(runtime)
        result = await runtime.search(QUESTION)
    assert isinstance(finished, Finished)
    assert finished.result.answer == result.answer
    assert [one.solution for one in finished.result.candidates] == [one.solution for one in result.candidates]
    assert [one.score for one in finished.result.candidates] == [one.score for one in result.candidates]


@settings(max_examples=10)
@given(st.integers(0, 30), st.integers(1, 3))
async def test_closing_it_anywhere_cancels_the_search_and_frees_its_slots(events: int, others: int) -> None:
    policy = Writer()
    async with Runtime(sandbox="none", policy=policy, verifier=Long(), search=Beam(n=4, width=2)) as runtime:
        for _ in range(others):
            async with aclosing(runtime.stream(QUESTION)) as stream:
                for _ in range(events):
                    if await anext(stream, None) is None:
                        break
            assert policy.writing == 0
            assert len(asyncio.all_tasks()) == 1
        assert (await runtime.search(QUESTION)).answer is not None


async def test_closing_it_while_a_policy_writes_reaches_the_policy() -> None:
    hanging = Writer(asyncio.Event())
    async with Runtime(sandbox="none", verifier=Long(), n=2) as runtime:
        stream = runtime.stream(QUESTION, policy=hanging)
        first = asyncio.ensure_future(anext(stream))
        await hanging.begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await stream.aclose()
        assert hanging.writing == 0
        assert (await runtime.search(QUESTION, policy=Writer())).answer is not None


async def test_an_error_is_raised_behind_what_was_told() -> None:
    told: list[Event] = []
    async with Runtime(sandbox="none", policy=Writer(), verifier=Returning([0.5]), n=1) as runtime:
        stream = runtime.stream(QUESTION)

        async def listen() -> None:
            async for event in stream:
                told.append(event)

        with pytest.raises(ProblemError, match="the verifier Returning returned"):
            await listen()
    assert any(isinstance(event, Sampled) for event in told)
    assert not any(isinstance(event, Chosen | Finished) for event in told)


async def test_streams_in_one_runtime_tell_of_their_own_search_alone() -> None:
    async with Runtime(sandbox="none", policy=Writer(), verifier=Long(), search=BestOfN(n=3)) as runtime:
        both = await asyncio.gather(streamed(runtime), streamed(runtime))
    assert [sum(isinstance(event, Sampled) for event in events) for events in both] == [3, 3]
