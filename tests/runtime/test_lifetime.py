"""What a runtime holds: nothing is lost by a failure, two know nothing of each other, closing one frees all."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.best_of_n import BestOfN
from tests.runtime.own import Long, Returning, Writer
from tts import RunError, Runtime, aevaluate
from tts.engines.generating import Completion, Request
from tts.engines.scripted import ScriptedEngine

QUESTION = "What is 1 + 1?"


def opened(**more: Any) -> Runtime:
    return Runtime(**{"sandbox": "none", "policy": Writer(), "verifier": Long(), "n": 3, **more})


def left() -> tuple[set[threading.Thread], set[str], set[str]]:
    """The threads, child processes and files that this process has."""
    gc.collect()
    # asyncio's own pool ends with its loop, and the pool's idle threads hold nothing of ours.
    threads = {one for one in threading.enumerate() if not one.name.startswith("asyncio_")}
    children = set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())
    files = {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    return threads, children, {file for file in files if Path(file).is_file()}


async def test_an_evaluation_ends_after_the_first_ten_alike(tmp_path: Path) -> None:
    policy = Writer()
    async with opened(policy=policy) as runtime:
        with pytest.raises(
            RunError, match=r"the first 10 problems all failed .* the verifier Returning returned \[0\.5\]"
        ):
            await aevaluate(
                "in_flight.problems=1", folder=tmp_path, runtime=runtime, task="arithmetic", verifier=Returning([0.5])
            )
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 10  # what was done is kept
    assert policy.writing == 0


class Closing(ScriptedEngine):
    """Tells whether it is open; loading takes until somebody lets it."""

    def __init__(self, hold: asyncio.Event | None = None) -> None:
        super().__init__(lambda *_: "\\boxed{2}")
        self.hold, self.starts, self.open = hold, asyncio.Event(), False

    async def start(self) -> None:
        self.starts.set()
        if self.hold is not None:
            await self.hold.wait()
        self.open = True

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        assert self.open
        async for completion in super().generate(request):
            yield completion


async def test_two_runtimes_know_nothing_of_each_other(tmp_path: Path) -> None:
    async with Runtime(sandbox="none", verifier=Long(), n=2, bank=tmp_path / "two.sqlite") as two:
        async with Runtime(sandbox="none", verifier=Long(), n=2, bank=tmp_path / "one.sqlite") as one:
            first, second = await asyncio.gather(one.search(QUESTION), two.search(QUESTION))
            mine, theirs = (set(map(id, made.composed().engines.values())) for made in (one, two))
            assert not mine & theirs
        # Each paid for its samples: nothing came from the other.
        assert first.usage["policy"].generated_tokens == second.usage["policy"].generated_tokens > 0
        assert first.answer == second.answer
        # The end of one is nothing to the other, whose bank knows the samples by now.
        again = await two.search(QUESTION)
        assert (again.answer, again.usage["policy"].generated_tokens) == (second.answer, 0)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    before = left()
    yield
    for kept, now in zip(before, left(), strict=True):
        assert not now - kept, now - kept  # type: ignore[operator]


@pytest.mark.integration
@pytest.mark.usefixtures("nothing_left")
def test_a_search_that_is_cancelled_leaves_no_threads_processes_and_files(tmp_path: Path) -> None:
    """With the embedded models, a bank, and the processes of the sandbox that the verifier's code runs in."""
    running = asyncio.Event()

    async def work() -> None:
        async with Runtime(bank=tmp_path / "bank.sqlite", n=1) as runtime:
            await runtime.search(QUESTION)
            threads, children, _ = left()
            assert any(thread.name == "tts-bank" for thread in threads)
            assert children
            running.set()
            await runtime.search("What is 17 * 24?", n=64)

    async def main() -> None:
        task, begun = asyncio.create_task(work()), asyncio.create_task(running.wait())
        await asyncio.wait((task, begun), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


@pytest.mark.integration
@pytest.mark.usefixtures("nothing_left")
def test_a_start_that_is_cancelled_while_a_model_loads_frees_it() -> None:
    async def main() -> None:
        async with Runtime(sandbox="none", verifier=Long(), n=1) as runtime:
            search = asyncio.create_task(runtime.search(QUESTION))
            await asyncio.sleep(0)  # it has begun: the checkpoint is read in a thread from here on
            await asyncio.sleep(0.01)
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)
            assert search.cancelled()

    asyncio.run(main())


async def test_a_cancelled_start_can_be_made_again() -> None:
    engine = Closing(asyncio.Event())
    async with Runtime(sandbox="none", engines={"policy": engine}, verifier=Long(), n=1) as runtime:
        search = asyncio.create_task(runtime.search(QUESTION))
        await engine.starts.wait()
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
        assert (search.cancelled(), engine.open) == (True, False)
        assert engine.hold is not None
        engine.hold.set()
        assert (await runtime.search(QUESTION)).answer == "2"


async def test_a_strategy_object_runs_as_its_configuration_does() -> None:
    async with opened() as runtime:
        made = await runtime.search(QUESTION, search=BestOfN(n=3))
        named = await runtime.search(QUESTION, search="best_of_n")
        assert [one.answer for one in made.candidates] == [one.answer for one in named.candidates] == ["0", "1", "2"]
        assert made.answer == named.answer
