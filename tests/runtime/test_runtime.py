"""A runtime's life: what it holds it frees, whatever happens, and two of them know nothing of each other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.holder import CHATML, SANDBOXED, asking, files, held, held_by
from tests.runtime.parts import QUESTION, arguments, writing
from tts import Problem, ProblemError, Runtime, Solution, Verdict
from tts.engines.scripted import ScriptedEngine
from verifiers.base import BaseVerifier


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
            for runtime in (first, second):
                assert (await runtime.search(QUESTION, **arguments())).answer == "408"
            assert [Path(path).name for path in files(tmp_path) if path.endswith(".sqlite")] != []
        assert not [path for path in files(tmp_path) if "first" in path]
        assert [path for path in files(tmp_path) if "second" in path]
        assert (await second.search(QUESTION, **arguments())).answer == "408"
