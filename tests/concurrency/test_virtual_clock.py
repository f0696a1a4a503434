"""Virtual time."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.concurrency.virtual_clock import DeadlockError, VirtualLoop, real_work
from tts.core.errors import UserError

T = TypeVar("T")


def virtually(main: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


def now() -> float:
    return asyncio.get_running_loop().time()


async def in_thread(work: Callable[[], Any]) -> Any:
    """Waits for a thread that the loop does not know of."""
    with ThreadPoolExecutor(1) as threads:
        return await asyncio.wrap_future(threads.submit(work))


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=6), max_size=6))
def test_time_is_the_sum_of_the_delays(chains: list[list[float]]) -> None:
    async def chain(delays: list[float]) -> None:
        expected = now()
        for delay in delays:
            expected += delay
            await asyncio.sleep(delay)
            assert now() == expected

    async def main() -> float:
        await asyncio.gather(*(chain(delays) for delays in chains))
        return now()

    assert virtually(main) == max((float(sum(delays)) for delays in chains), default=0.0)


@given(st.lists(st.integers(0, 20)))
def test_timers_run_in_order(delays: list[int]) -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        for delay in delays:
            asyncio.get_running_loop().call_later(delay * 0.1, ran.append, delay)
        await asyncio.sleep(3.0)
        return ran

    assert virtually(main) == sorted(delays)


def test_a_time_out_strikes_at_its_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7 * 24 * 3600):
                await asyncio.sleep(10 * 24 * 3600)
        return now()

    assert virtually(main) == 7 * 24 * 3600


def test_late_timers_of_one_instant_run_in_it() -> None:
    async def main() -> float:
        # Where floats are further apart than any clock's resolution.
        await asyncio.sleep(1e9)
        await asyncio.sleep(1e-9)
        await asyncio.gather(*(asyncio.sleep(0.25) for _ in range(3)))
        return now()

    assert virtually(main) == 1e9 + 0.25


def test_waiting_for_nobody_is_an_error_and_no_hang() -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match="real_work"):
        virtually(main)


def test_real_work_takes_no_virtual_time() -> None:
    async def main() -> list[tuple[str, float]]:
        log = []

        async def work() -> None:
            await asyncio.sleep(1.0)
            async with real_work():
                await in_thread(lambda: time.sleep(0.05))
            log.append(("work", now()))

        async def others() -> None:
            await asyncio.sleep(1.001)
            log.append(("others", now()))

        await asyncio.gather(work(), others())
        return log

    assert virtually(main) == [("work", 1.0), ("others", 1.001)]


def test_threads_of_the_loop_are_real_work() -> None:
    async def main() -> tuple[int, float]:
        sleeper = asyncio.create_task(asyncio.sleep(1.0))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        answer = await asyncio.to_thread(lambda: (time.sleep(0.05), 42)[1])
        at = now()
        await sleeper
        return answer, at

    assert virtually(main) == (42, 0.0)


def test_how_long_real_work_takes_makes_no_difference() -> None:
    def trace(seed: int) -> list[tuple[int, int, float]]:
        rng = random.Random(seed)
        log = []

        async def worker(name: int) -> None:
            for piece in range(6):
                if (name + piece) % 3:
                    async with real_work():
                        await in_thread(partial(time.sleep, rng.uniform(0, 0.01)))
                else:
                    await asyncio.sleep(0.5 * (piece % 2))
                log.append((name, piece, now()))

        async def main() -> None:
            await asyncio.gather(*map(worker, range(5)))

        virtually(main)
        return log

    assert trace(1) == trace(2) == trace(3)


def test_timers_inside_of_real_work_are_real() -> None:
    async def main() -> float:
        # Nested ones are one.
        async with real_work(), real_work():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await asyncio.get_running_loop().create_future()
        return now()

    assert virtually(main) == 0.0


def test_cancelled_real_work_holds_nobody_up() -> None:
    async def main() -> float:
        async def work() -> None:
            async with real_work():
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(2.0)
        return now()

    assert virtually(main) == 2.0


def test_servers_live_in_real_time() -> None:
    async def main() -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(UserError, match="virtual time"):
        virtually(main)


async def test_on_an_ordinary_loop_real_work_is_nothing() -> None:
    async with real_work():
        await asyncio.sleep(0)
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


@pytest.mark.integration
def test_processes_are_real_work() -> None:
    async def main() -> tuple[bytes, float]:
        later = asyncio.create_task(asyncio.sleep(3.0))
        async with real_work():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print(6 * 7)", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
        at = now()
        await later
        return out, at

    assert virtually(main) == (b"42\n", 0.0)
