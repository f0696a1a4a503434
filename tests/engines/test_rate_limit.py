"""Requests and tokens a minute, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.budget import now
from tts.concurrency.virtual_clock import VirtualLoop
from tts.engines.chat.rate_limit import RateLimiter
from tts.engines.http.failures import reset_after

T = TypeVar("T")


def virtually(program: Coroutine[None, None, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(program)


async def answered(limiter: RateLimiter, order: int, arrivals: list[float], delay: float, took: float) -> None:
    place = await limiter.enter(order)
    await asyncio.sleep(delay)
    arrivals.append(now())
    await asyncio.sleep(took)
    limiter.leave(place)


@given(st.integers(1, 600), st.integers(0, 2**32))
@settings(max_examples=30)
def test_no_window_of_a_minute_has_more_requests_than_allowed(allowed: int, seed: int) -> None:
    """Whatever the network does within 1.8 seconds; and the rate is nearly the one allowed."""
    rng, arrivals = random.Random(seed), list[float]()
    many = allowed * 3

    async def run() -> None:
        limiter = RateLimiter(allowed)
        delays = [(rng.uniform(0, 1.8), rng.uniform(0, 30)) for _ in range(many)]
        await asyncio.gather(*(answered(limiter, i, arrivals, *each) for i, each in enumerate(delays)))

    virtually(run())
    arrivals.sort()
    assert len(arrivals) == many
    for first, later in zip(arrivals, arrivals[allowed:], strict=False):
        assert later - first > 60
    minutes = (arrivals[-1] - arrivals[0]) / 60
    assert (many - 1) / minutes >= 0.91 * allowed


def test_a_server_of_sixty_a_minute_sees_55_to_60() -> None:
    arrivals: list[float] = []

    async def run() -> None:
        limiter = RateLimiter(60)
        await asyncio.gather(*(answered(limiter, i, arrivals, 0.05, 8.0) for i in range(600)))

    virtually(run())
    for start in range(0, 540, 60):
        assert 55 <= sum(start <= at - arrivals[0] < start + 60 for at in arrivals) <= 60


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1), st.floats(0, 90)), min_size=1, max_size=40))
@settings(max_examples=60)
def test_no_window_of_a_minute_has_more_tokens_than_allowed(requests: list[tuple[int, float, float]]) -> None:
    """Whenever between its departure and its answer the host counts a request."""
    allowed = 500
    counted: list[tuple[float, float, int]] = []

    async def one(limiter: RateLimiter, order: int, most: int, share: float, took: float) -> None:
        place = await limiter.enter(order, most)
        left, used = now(), round(most * share)
        await asyncio.sleep(took)
        counted.append((left, now(), used))
        limiter.leave(place, used)

    async def run() -> None:
        limiter = RateLimiter(None, allowed)
        await asyncio.gather(*(one(limiter, i, *each) for i, each in enumerate(requests)))

    virtually(run())
    assert len(counted) == len(requests)
    for when in (0, 1):
        for at in (each[when] for each in counted):
            assert sum(each[2] for each in counted if at <= each[when] < at + 59.99) <= allowed


def test_a_request_larger_than_the_limit_passes_alone() -> None:
    async def run() -> float:
        limiter = RateLimiter(None, 100)
        for order in range(2):
            limiter.leave(await limiter.enter(order, 1000), 1000)
        return now()

    assert virtually(run()) == pytest.approx(60)


def test_earlier_requests_go_first_and_a_pause_holds_all() -> None:
    passed: list[tuple[int, float]] = []

    async def one(limiter: RateLimiter, order: int) -> None:
        limiter.leave(await limiter.enter(order))
        passed.append((order, now()))

    async def run() -> None:
        limiter = RateLimiter(60)
        limiter.busy(await limiter.enter(0), 30)
        await asyncio.gather(*(one(limiter, order) for order in (7, 3, 5)))

    virtually(run())
    assert [order for order, _ in passed] == [3, 5, 7]
    assert passed[0][1] == pytest.approx(30)


def test_a_host_whose_limit_nobody_names_is_asked_less() -> None:
    """A host that answers two at a time, and says to wait a second: far fewer refusals than requests, and no deadlock."""
    counts = {"refused": 0, "under way": 0, "answered": 0}

    async def one(limiter: RateLimiter, order: int) -> None:
        while True:
            place = await limiter.enter(order)
            if counts["under way"] >= 2:
                counts["refused"] += 1
                limiter.busy(place, 1)
                continue
            counts["under way"] += 1
            await asyncio.sleep(5)
            counts["under way"] -= 1
            counts["answered"] += 1
            limiter.leave(place)
            return

    async def run() -> float:
        limiter = RateLimiter()
        await asyncio.gather(*(one(limiter, order) for order in range(200)))
        return now()

    seconds = virtually(run())
    assert counts["answered"] == 200
    assert counts["refused"] < 198 + 200  # the first burst, and the trials of one more
    assert seconds < 3 * 200 * 5 / 2


def test_a_request_that_is_cancelled_takes_nobody_s_place() -> None:
    async def run() -> float:
        limiter = RateLimiter(None, 100)
        first = await limiter.enter(0, 100)
        waiting = [asyncio.create_task(limiter.enter(order, 100)) for order in (1, 2)]
        await asyncio.sleep(1)
        waiting[0].cancel()
        limiter.leave(first, 0)
        await waiting[1]
        return now()

    assert virtually(run()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "1h"}, 0.0),
    ],
)
def test_headers_say_when_a_limit_is_lifted(headers: dict[str, str], seconds: float) -> None:
    assert reset_after(headers) == pytest.approx(seconds)
