"""A runtime's life: what it holds it frees, whatever happens, and two of them know nothing of each other."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from search.best_of_n import BestOfN
from tests.runtime.parts import QUESTION, Judge, Writer, arguments, writing
from tts import Problem, ProblemError, Result, Runtime, Solution, Verdict
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, Spent
from tts.engines.scripted import ScriptedEngine
from tts.runtime.result import Finished
from verifiers.base import BaseVerifier

SANDBOXED = ("sandbox=unsafe",)


def files(folder: Path) -> list[str]:
    """The files in a folder that this process has open."""
    opened = []
    for number in os.listdir("/proc/self/fd"):
        try:
            opened.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:  # the listing's own
            continue
    return sorted(path for path in opened if path.startswith(str(folder)))


def children() -> set[int]:
    """The processes that this one started and has not seen end."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def held() -> tuple[set[threading.Thread], set[int]]:
    """Returns threads and processes, without the threads that the event loop keeps for whoever needs one."""
    threads = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    return threads, children()


class Holder:
    """An engine with a thread of its own, as those that load models have, and the life that it had."""

    follows_clock = True
    parameters = None
    capacity = 8

    def __init__(self, name: str = "holder", fault: str | None = None) -> None:
        self.name, self._fault = name, fault
        self.opening: Callable[[], Any] | None = None
        self.closing: Callable[[], Any] | None = None
        self._inner = ScriptedEngine(writing)
        self._stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.closed = 0
        self.generate, self.count_tokens, self.render = (
            self._inner.generate,
            self._inner.count_tokens,
            self._inner.render,
        )

    async def start(self) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self._stop.wait, name=self.name)
            self.thread.start()
        if self.opening is not None:
            await self.opening()

    async def close(self) -> None:
        if self.closing is not None:
            await self.closing()
        self.closed += 1
        self._stop.set()
        if self.thread is not None:
            self.thread.join()
        if self._fault == "cancelled":
            raise asyncio.CancelledError
        if self._fault is not None:
            raise RuntimeError(self._fault)


def held_by(runtime: Runtime, **settings: str) -> Holder:
    """Returns an engine that a runtime made, and therefore closes."""
    engine = runtime.resources.engine({"_target_": f"{__name__}.Holder", **settings}, "policy.engine")
    assert isinstance(engine, Holder)
    return engine


def asking(engine: Holder) -> dict[str, Any]:
    """Returns the arguments of a search with an engine."""
    return arguments(policy=None, engines={"policy": engine})


CHATML = ("policy=generic", "policy.chat=chatml")


async def test_closing_frees_threads_processes_and_files(tmp_path: Path) -> None:
    before = held()
    given = arguments(policy=None, sandbox=None)
    async with Runtime(*CHATML, *SANDBOXED, bank=tmp_path / "bank.sqlite") as runtime:
        engine = ScriptedEngine(writing)
        engine.identity = lambda: {"model": "scripted"}  # type: ignore[attr-defined]
        result = await runtime.search(QUESTION, engines={"policy": engine}, **given)
        assert result.candidates
        assert files(tmp_path)
        assert held() != before
    assert held() == before
    assert files(tmp_path) == []


@pytest.mark.parametrize("fault", [ValueError("inside"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_it_frees_all_after_an_exception_inside(tmp_path: Path, fault: BaseException) -> None:
    before, made = held(), []

    async def live() -> None:
        async with Runtime(*CHATML) as runtime:
            made.append(held_by(runtime))
            await runtime.search(QUESTION, **asking(made[0]))
            runtime.resources.bank(tmp_path / "bank.sqlite")
            raise fault

    with pytest.raises(type(fault)):
        await live()
    assert [engine.closed for engine in made] == [1]
    assert held() == before
    assert files(tmp_path) == []


async def test_it_frees_all_after_a_start_that_was_cancelled(tmp_path: Path) -> None:
    before, loading, made = held(), asyncio.Event(), []

    async def opening() -> None:
        loading.set()
        await asyncio.Event().wait()

    async def search() -> None:
        async with Runtime(*CHATML) as runtime:
            runtime.resources.bank(tmp_path / "bank.sqlite")
            made.append(held_by(runtime))
            made[0].opening = opening
            await runtime.search(QUESTION, **asking(made[0]))

    searching = asyncio.create_task(search())
    await asyncio.wait({searching, asyncio.create_task(loading.wait())}, return_when=asyncio.FIRST_COMPLETED)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert [engine.closed for engine in made] == [1]
    assert held() == before
    assert files(tmp_path) == []


async def test_a_model_whose_loading_was_cancelled_is_freed() -> None:
    before = held()[0]

    async def search() -> None:
        async with Runtime() as runtime:
            await runtime.search(QUESTION, **arguments(policy=None))

    searching = asyncio.create_task(search())
    while held()[0] == before and not searching.done():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert held()[0] == before


@pytest.mark.parametrize("fault", ["stuck", "cancelled"])
async def test_what_cannot_be_closed_keeps_nothing_else_from_it(tmp_path: Path, fault: str) -> None:
    before, made = held(), []

    async def live() -> None:
        async with Runtime() as runtime:
            runtime.resources.bank(tmp_path / "bank.sqlite")
            for settings in ({"name": "a"}, {"name": "broken", "fault": fault}, {"name": "b"}):
                made.append(held_by(runtime, **settings))
                await made[-1].start()

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    (error,) = caught.value.exceptions
    assert fault in str(error)
    assert [engine.closed for engine in made] == [1, 1, 1]
    assert held() == before
    assert files(tmp_path) == []


async def test_what_went_wrong_is_told_rather_than_what_could_not_be_closed() -> None:
    class Lost(BaseVerifier):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Any:
            return None

    async def live() -> None:
        async with Runtime() as runtime:
            held_by(runtime, fault="stuck")
            await runtime.search(QUESTION, **arguments(verifier=Lost()))

    with pytest.raises(ProblemError, match="the verifier Lost returned None") as caught:
        await live()
    assert "stuck" in "".join(caught.value.__notes__)


async def test_a_closing_that_is_interrupted_again_and_again_ends_all_the_same() -> None:
    gate, made = asyncio.Event(), []

    async def live() -> None:
        async with Runtime() as runtime:
            made.extend(held_by(runtime, name=name) for name in ("quick", "slow"))
            made[1].closing = gate.wait

    living = asyncio.create_task(live())
    for _ in range(3):
        for _ in range(5):
            await asyncio.sleep(0)
        living.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await living
    assert [engine.closed for engine in made] == [1, 1]


async def test_two_runtimes_know_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = Runtime(bank=tmp_path / "first.sqlite", seed=1), Runtime(bank=tmp_path / "second.sqlite", seed=2)
    async with second:
        async with first:
            made = [runtime.composed("sandbox=none") for runtime in (first, second)]
            assert [composition.seed for composition in made] == [1, 2]
            assert made[0].sandbox is not made[1].sandbox
            engines = [{id(engine.inside) for engine in one.engines.values()} for one in made]  # type: ignore[attr-defined]
            assert engines[0].isdisjoint(engines[1])
            assert (await first.search(QUESTION, **arguments())).answer == "408"
            assert [Path(path).name for path in files(tmp_path) if path.endswith(".sqlite")] != []
        assert not [path for path in files(tmp_path) if "first" in path]
        assert [path for path in files(tmp_path) if "second" in path]
        assert (await second.search(QUESTION, **arguments())).answer == "408"


def timeless(result: Result) -> Any:
    nodes = tuple(replace(node, landed_s=0.0, judged_s=None) for node in result.tree.nodes)
    tokens = {role: replace(usage, seconds=0.0) for role, usage in result.usage.items()}
    return result.answer, list(result.candidates), replace(result.tree, nodes=nodes), tokens


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
