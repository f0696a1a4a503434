"""Streams of events that are read to the end, closed early, left open, or cancelled."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from search.best_of_n import BestOfN
from tests.runtime.holder import CHATML, timeless
from tests.runtime.parts import QUESTION, Judge, Writer, arguments, writing
from tts import Problem, Runtime, Solution, Verdict
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, Spent
from tts.engines.scripted import ScriptedEngine
from tts.runtime.result import Finished


@pytest.mark.parametrize("search", ["best_of_n", "beam", "dvts"])
async def test_a_stream_ends_with_what_a_search_returns_and_keeps_its_order(search: str) -> None:
    given = arguments(policy=None, search=search, n=4, engines={"policy": ScriptedEngine(writing)})
    async with Runtime(*CHATML) as runtime:
        result = await runtime.search(QUESTION, **given)
        events = [event async for event in runtime.stream(QUESTION, **given)]
    *before, last = events
    assert isinstance(last, Finished)
    assert timeless(last.result) == timeless(result)
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    sampled, expanded = {0}, set[int]()
    for event in before:
        if isinstance(event, Expanded):
            assert event.node in sampled
            assert event.node not in expanded
            expanded.add(event.node)
        if isinstance(event, Sampled):
            assert event.parent in expanded
            assert event.node not in sampled
            sampled.add(event.node)
        if isinstance(event, Judged):
            assert event.node in sampled
    assert isinstance(before[-1], Chosen)
    assert before[-1].answer == result.answer
    spent = [event.usage for event in before if isinstance(event, Spent)]
    assert all(one != other for one, other in pairwise(spent))
    assert spent[-1]["policy"].completion_tokens == result.usage["policy"].completion_tokens


async def until_sampled(stream: Any) -> Event:
    async for event in stream:
        if isinstance(event, Sampled):
            return event
    raise AssertionError("nothing was sampled")


async def test_a_stream_that_is_closed_early_cancels_its_search_and_frees_its_places() -> None:
    policy = Writer(turns=20)
    async with Runtime() as runtime:
        async with aclosing(runtime.stream(QUESTION, **arguments(policy=policy, search=BestOfN(100)))) as stream:
            await until_sampled(stream)
            assert policy.running == 1
        assert policy.running == 0
        written = policy.written
        assert written < 100
        assert (await runtime.search(QUESTION, **arguments())).answer == "408"
        assert policy.written == written


async def test_an_engine_s_places_are_free_after_a_stream_was_closed() -> None:
    given = arguments(policy=None, engines={"policy": ScriptedEngine(writing)}, search=BestOfN(6))
    async with Runtime(*CHATML, "in_flight.policy=1") as runtime:
        for _ in range(3):
            async with aclosing(runtime.stream(QUESTION, **given)) as stream:
                await until_sampled(stream)
        assert len((await runtime.search(QUESTION, **given)).candidates) == 6


async def test_a_stream_that_is_left_open_ends_with_its_runtime() -> None:
    policy, before = Writer(turns=10**9), asyncio.all_tasks()
    async with Runtime() as runtime:
        stream = runtime.stream(QUESTION, **arguments(policy=policy, search=BestOfN(100)))
        reading = asyncio.ensure_future(anext(stream))
        while not policy.running:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert policy.running == 0
    with pytest.raises((asyncio.CancelledError, StopAsyncIteration)):
        await reading
    await stream.aclose()
    assert asyncio.all_tasks() == before


async def test_cancelling_who_reads_a_stream_cancels_its_search() -> None:
    policy = Writer(turns=10**9)
    async with Runtime() as runtime:

        async def read() -> None:
            async for _ in runtime.stream(QUESTION, **arguments(policy=policy)):
                pass

        reading = asyncio.create_task(read())
        while not policy.running:  # noqa: ASYNC110
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert policy.running == 0


async def test_an_error_comes_out_of_a_stream_once() -> None:
    class Broken(Judge):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            raise ZeroDivisionError("the plug-in is broken")

    seen: list[Event] = []
    async with Runtime() as runtime:
        stream = runtime.stream(QUESTION, **arguments(verifier=Broken()))

        async def read() -> None:
            async for event in stream:
                seen.append(event)

        with pytest.raises(ZeroDivisionError, match="the plug-in is broken"):
            await read()
        assert [event async for event in stream] == []
        assert not [event for event in seen if isinstance(event, Chosen | Finished)]
        assert (await runtime.search(QUESTION, **arguments())).answer == "408"
