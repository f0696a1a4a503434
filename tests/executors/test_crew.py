"""Workers that are lost cost nothing but their items' time."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import ProblemError, RunError, UserError
from tts.executors.crew import Crew, LostError


class Mortal:
    """A worker that squares numbers, a few turns each; it is lost with a deadly number, or by the dice of its crew."""

    def __init__(self, in_flight: int, deadly: set[int], dice: random.Random, risk: float) -> None:
        self.in_flight = in_flight
        self.running = 0
        self._deadly = deadly
        self._dice, self._risk = dice, risk
        self._end = asyncio.Event()

    async def do(self, item: int) -> int:
        if self._end.is_set():
            raise LostError("killed")
        self.running += 1
        assert self.running <= self.in_flight
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)
            if item in self._deadly or self._dice.random() < self._risk:
                self._end.set()
            if self._end.is_set():
                raise LostError("killed")
        if item in self._deadly:
            self._end.set()
            raise LostError("killed")
        self.running -= 1
        return item * item


def crew(size: int, in_flight: int, deadly: set[int], seed: int = 0, risk: float = 0.0) -> Crew[int, int]:
    dice = random.Random(seed)

    async def hire(_: int) -> Mortal:
        await asyncio.sleep(0)
        return Mortal(in_flight, deadly, dice, risk)

    return Crew(hire, size)


async def done(crew: Crew[int, int], items: int, at_once: int) -> list[int | BaseException]:
    """Has the items done, so many at once, as `batch` does."""
    turn = asyncio.Semaphore(at_once)

    async def one(item: int) -> int:
        async with turn:
            return await crew.do(item)

    try:
        await crew.start()
        return await asyncio.gather(*(one(item) for item in range(items)), return_exceptions=True)
    finally:
        await crew.close()


@given(st.integers(1, 5), st.integers(1, 70), st.sets(st.integers(0, 79), max_size=3), st.integers(0, 9))
async def test_only_what_kills_three_workers_fails(size: int, in_flight: int, deadly: set[int], seed: int) -> None:
    team = crew(size, in_flight, deadly, seed)
    results = await done(team, 80, size * in_flight)
    failed = {item for item, result in enumerate(results) if isinstance(result, ProblemError)}
    assert failed == deadly
    assert all(result == item * item for item, result in enumerate(results) if item not in deadly)
    # Deadly items of one worker are lost with it, so that each of them loses three workers at most.
    assert (3 if deadly else 0) <= team.losses.workers <= 3 * len(deadly)
    # Of the first worker all items are begun again, of the second a few, of the third none but the deadly one.
    assert team.losses.items <= len(deadly) * (in_flight + int(in_flight**0.5))


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 9))
async def test_workers_that_are_lost_at_random_lose_no_item(size: int, in_flight: int, seed: int) -> None:
    team = crew(size, in_flight, set(), seed, risk=0.01)
    results = await done(team, 100, size * in_flight)
    assert results == [item * item for item in range(100)]
    assert team.losses.items <= team.losses.workers * in_flight


async def test_the_message_says_what_happened() -> None:
    team = crew(2, 4, {1})
    results = await done(team, 3, 8)
    assert str(results[1]) == (
        "3 workers were lost while they had this problem, the last of them with nothing else: killed"
    )


async def test_a_refusal_of_all_workers_is_the_users_and_one_of_some_is_not() -> None:
    async def refuse(place: int) -> Mortal:
        if place < refusing:
            raise UserError("no such file")
        await asyncio.sleep(0)
        return Mortal(1, set(), random.Random(0), 0.0)

    refusing = 2
    with pytest.raises(UserError, match="no such file"):
        await done(Crew(refuse, 2), 1, 1)
    refusing = 1
    assert await done(Crew(refuse, 2), 3, 1) == [0, 1, 4]


async def test_workers_that_never_do_anything_end_the_run() -> None:
    async def lost_at_once(_: int) -> Mortal:
        raise LostError("no memory")

    with pytest.raises(RunError, match="3 workers were lost before they could begin: no memory"):
        await done(Crew(lost_at_once, 2), 1, 1)


async def test_an_item_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    gate = asyncio.Event()

    class Slow(Mortal):
        async def do(self, item: int) -> int:
            await gate.wait()
            return item

    async def hire(_: int) -> Slow:
        return Slow(1, set(), random.Random(0), 0.0)

    team: Crew[int, int] = Crew(hire, 1)
    await team.start()
    first, second, third = (asyncio.create_task(team.do(item)) for item in range(3))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    gate.set()
    assert await third == 2
    await team.close()


async def test_a_crew_that_dies_out_ends_the_run() -> None:
    """Items in progress are done again, and there is nobody left to do them."""
    hired = 0

    async def hire(_: int) -> Mortal:
        nonlocal hired
        hired += 1
        if hired > 1:
            raise UserError("the file is gone")
        return Mortal(2, {1}, random.Random(0), 0.0)

    results = await done(Crew(hire, 1), 3, 2)
    assert [str(result) for result in results[1:]] == ["no worker is left: the file is gone"] * 2
    assert isinstance(results[1], RunError)
