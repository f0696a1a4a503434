"""Errands and replies between a job and a worker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Limits
from tts.core.json import JsonObject
from tts.executors.courier import Courier
from tts.executors.crew import LostError
from tts.executors.messages import Errand, Reply
from tts.executors.worker import WorkerProcess
from tts.runtime.executor import BaseWork
from tts.runtime.resources import Resources


class Waiting(BaseWork):
    """Takes so many turns of the event loop, or milliseconds, for an item as the item says."""

    in_flight = 8

    async def start(self) -> JsonObject:
        return {}

    async def do(self, item: tuple[int, float]) -> int:
        turns, seconds = item
        for _ in range(turns):
            await asyncio.sleep(0)
        if seconds:
            await asyncio.sleep(seconds)
        return turns


def waiting(_: Resources) -> Waiting:
    return Waiting()


async def never(path: str, calls: Sequence[object]) -> str:
    raise AssertionError("there is no bank")


async def done(items: list[tuple[int, float]], at_once: int) -> tuple[list[object], int]:
    """Returns the results and the number of messages."""
    process, messages = WorkerProcess(".", never), 0
    await process.prepare("job", waiting)

    async def send(errands: Sequence[tuple[int, Errand[object]]]) -> Sequence[tuple[int, Reply[object]]]:
        nonlocal messages
        messages += 1
        return await process.exchange("job", errands)

    courier, turn = Courier(send), asyncio.Semaphore(at_once)

    async def one(number: int, item: tuple[int, float]) -> object:
        async with turn:
            return (await courier.do(Errand(item, "item", number, "", Limits(), "run", Limits()))).result

    async with asyncio.timeout(20):
        results = await asyncio.gather(*(one(number, item) for number, item in enumerate(items)))
    await process.close()
    return results, messages


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 20), st.integers(0, 9))
async def test_everyone_gets_the_reply_to_his_errand(turns: list[int], at_once: int, seed: int) -> None:
    dice = random.Random(seed)
    items = [(each, dice.choice([0.0, 0.0, 0.002])) for each in turns]
    results, messages = await done(items, at_once)
    assert results == turns
    # A message is answered by at least one reply, or by the next message, which took an errand.
    assert messages <= 2 * len(items)


async def test_quick_errands_share_messages() -> None:
    results, messages = await done([(0, 0.0)] * 400, 40)
    assert len(results) == 400
    assert messages < 60


async def test_all_are_told_that_a_worker_is_gone() -> None:
    async def send(errands: Sequence[tuple[int, Errand[int]]]) -> Sequence[tuple[int, Reply[int]]]:
        await asyncio.sleep(0.01)
        raise LostError("killed")

    courier = Courier(send)
    errands = [Errand(number, "item", number, "", Limits(), "run", Limits()) for number in range(3)]
    told = await asyncio.gather(*(courier.do(errand) for errand in errands), return_exceptions=True)
    assert [str(error) for error in told] == ["killed"] * 3
    with pytest.raises(LostError, match="killed"):
        await courier.do(errands[0])
