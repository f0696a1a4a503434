"""Laws of tasks whose outcomes are counted in order."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.ordered_tasks import OrderedTasks


@given(delays=st.lists(st.integers(0, 20), max_size=12), most=st.integers(1, 5))
async def test_outcomes_are_counted_in_the_order_of_their_beginning(delays: list[int], most: int) -> None:
    counted: list[tuple[int, int]] = []
    known: list[int] = []
    running = 0

    async def work(number: int) -> int:
        nonlocal running
        running += 1
        assert running <= most
        for _ in range(delays[number]):
            await asyncio.sleep(0)
        running -= 1
        return number

    async with OrderedTasks[int, int](most, lambda key, outcome: counted.append((key, outcome))) as tasks:
        for number in range(len(delays)):
            if tasks.full:
                await tasks.count_oldest()
            known.append(len(counted))
            tasks.begin(number, work(number))
    assert counted == [(number, number) for number in range(len(delays))]
    # What is known when work begins depends on its number alone, and not on the delays.
    assert known == [max(0, number + 1 - most) for number in range(len(delays))]


async def test_a_failure_cancels_the_rest_and_is_raised() -> None:
    cancelled = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def run() -> None:
        async with OrderedTasks[str, None](2, lambda key, outcome: None) as tasks:
            tasks.begin("wait", wait())
            tasks.begin("fail", fail())

    with pytest.raises(ExceptionGroup) as failure:
        await run()
    assert failure.group_contains(ValueError, match="no")
    assert cancelled == [True]
