"""Work that several wait for is done once."""

from __future__ import annotations

import asyncio

import pytest

from tts.concurrency.single_flight import SingleFlight


async def test_work_is_done_once_for_all_and_kept() -> None:
    done: list[str] = []

    async def work() -> str:
        await asyncio.sleep(0)
        done.append("x")
        return "result"

    shared: SingleFlight[str] = SingleFlight()
    assert await asyncio.gather(*(shared.get("k", work) for _ in range(5))) == ["result"] * 5
    assert await shared.get("k", work) == "result"
    assert done == ["x"]


async def test_failed_work_fails_all_waiters_and_is_tried_again() -> None:
    tries: list[int] = []

    async def work() -> int:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise ValueError("once")
        return 7

    shared: SingleFlight[int] = SingleFlight()
    results = await asyncio.gather(*(shared.get("k", work) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    assert await shared.get("k", work) == 7


async def test_one_waiters_cancellation_leaves_the_result_to_the_others() -> None:
    go = asyncio.Event()

    async def work() -> str:
        await go.wait()
        return "result"

    shared: SingleFlight[str] = SingleFlight()
    first, second = (asyncio.create_task(shared.get("k", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await second == "result"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_last_waiters_cancellation_ends_the_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    shared: SingleFlight[None] = SingleFlight()
    waiters = [asyncio.create_task(shared.get("k", work)) for _ in range(2)]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.wait_for(ended.wait(), 5)
