"""Calls of a script, a notebook or a server: interrupted, in virtual time, in memory, listened to."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from pathlib import Path

import pytest

import tts
from tests.runtime.own import Long, Writer
from tts.core.events import Progressed, listening

QUESTION = "What is 1 + 1?"
OWN = {"sandbox": "none", "n": 3}
PLANNED = ("experiment=simulated", "clock=virtual", "search.n=2", "verifier.votes=1")


@pytest.mark.parametrize("within", [False, True])
def test_an_interruption_cancels_the_work(within: bool) -> None:
    policy = Writer(asyncio.Event())
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while not policy.writing:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    def call() -> tts.Result:
        return tts.search(QUESTION, policy=policy, verifier=Long(), **OWN)  # type: ignore[arg-type]

    async def inside() -> tts.Result:
        return call()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(inside()) if within else call()
    finally:
        signal.signal(signal.SIGINT, before)
        other.join()
    assert policy.writing == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "tts-call"]


def test_virtual_time_is_exact_also_within_a_running_loop() -> None:
    async def within() -> tts.Evaluation:
        return tts.evaluate(*PLANNED, limit=3)

    first, second = tts.evaluate(*PLANNED, limit=3), asyncio.run(within())
    assert first.records == second.records
    assert first.summary["wall_s"] == second.summary["wall_s"] > 1


async def test_virtual_time_in_a_loop_of_real_time_is_one_message() -> None:
    with pytest.raises(
        tts.UserError, match=r"clock=virtual: this event loop runs in real time; tts.search and tts.evaluate"
    ):
        await tts.aevaluate(*PLANNED, limit=3)


def test_what_is_in_memory_is_what_a_folder_holds(tmp_path: Path) -> None:
    held, written = tts.evaluate(*PLANNED, limit=3), tts.evaluate(*PLANNED, limit=3, folder=tmp_path / "run")
    assert held.folder is None
    assert held.records == written.records == tts.load(tmp_path / "run").records
    assert held.summary == written.summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert written.tree(written.records[0]["id"]).problem == written.records[0]["id"]
    with pytest.raises(tts.UserError, match="trees are only saved in a run directory"):
        held.tree("0")


@pytest.mark.parametrize("within", [False, True])
def test_a_program_s_listener_hears_of_a_call(within: bool) -> None:
    heard: list[object] = []

    def call() -> None:
        with listening(heard.append):
            tts.evaluate(task="arithmetic", limit=3, policy=Writer(), verifier=Long(), **OWN)  # type: ignore[arg-type]

    async def inside() -> None:
        call()

    asyncio.run(inside()) if within else call()
    assert sum(isinstance(event, Progressed) for event in heard) == 3
