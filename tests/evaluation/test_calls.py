"""Searches and evaluations as a program calls them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tts
from tests import program
from tests.signals import heeded
from tts.core import Problem
from tts.core.events import Chosen, Sampled, Spent, listening
from verifiers.base import BaseVerifier

ROOT = Path(__file__).resolve().parents[2]
PLANNED = ("experiment=simulated", "task=arithmetic")
QUESTION = "What is 17 * 24?"


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").split("\n") if line]


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return program.run(*arguments, folder=folder, environment={**os.environ, "PYTHONPATH": str(ROOT)})


class Problems:
    """A task of the caller's own."""

    name = "mine"

    def __init__(self, *questions: str) -> None:
        self._questions = questions

    def problems(self) -> Iterator[Problem]:
        return (Problem(f"p{number}", question, "1") for number, question in enumerate(self._questions))

    def check(self) -> None:
        pass

    def count(self) -> int:
        return len(self._questions)


class Sound(BaseVerifier):
    """Finds every step right, and waits for its loop."""

    async def verify(self, problem: Problem, solution: tts.Solution, prior: tts.Verdict | None = None) -> tts.Verdict:
        await asyncio.sleep(0.01)
        return tts.Verdict((1.0,) * len(solution.steps))


def test_a_search_returns_everything_and_the_same_again() -> None:
    first, second = (tts.search(QUESTION, PLANNED[0], n=4, votes=2, seed=3) for _ in range(2))
    assert first.found.candidates == second.found.candidates
    assert len(first.candidates) == 4
    assert first.chosen in first.candidates
    assert first.answer == first.chosen.answer
    assert all(len(one.verdict.votes) == 2 for one in first.candidates)
    assert first.usage["policy"].samples == 4
    assert len(first.tree.nodes) == 5
    assert tts.search(QUESTION, PLANNED[0], n=4, votes=2, seed=4).candidates != first.candidates


async def test_it_blocks_inside_of_a_running_loop_and_gives_the_same() -> None:
    handler, heard = signal.getsignal(signal.SIGINT), []
    with listening(heard.append):
        inside = tts.search(QUESTION, PLANNED[0], n=4)
    outside = await asyncio.to_thread(tts.search, QUESTION, PLANNED[0], n=4)
    assert inside.candidates == outside.candidates
    assert inside.wall_s == outside.wall_s  # in virtual time
    assert signal.getsignal(signal.SIGINT) is handler
    assert isinstance(heard[-1], Chosen | Spent)
    assert sum(isinstance(event, Sampled) for event in heard) == 4


async def test_asynchronous_calls_share_a_runtime() -> None:
    async with tts.Runtime("clock=real", *PLANNED, n=2, verifier=Sound()) as runtime:
        one, evaluation = await asyncio.gather(
            tts.asearch(QUESTION, "policy.engine.tick_base=1e-5", runtime=runtime),
            tts.aevaluate("policy.engine.tick_base=1e-5", limit=2, runtime=runtime),
        )
    assert len(one.candidates) == 2
    assert len(evaluation) == 2
    with pytest.raises(tts.UserError, match="closed"):
        await tts.asearch(QUESTION, runtime=runtime)


@pytest.mark.parametrize("inside", [False, True])
def test_errors_come_out_as_they_are(inside: bool) -> None:
    async def call() -> None:
        tts.search(QUESTION, "clock=slow")

    with pytest.raises(tts.UserError, match="clock=slow: choose one of real, virtual"):
        asyncio.run(call()) if inside else tts.search(QUESTION, "clock=slow")
    with pytest.raises(tts.UserError, match="n=4"):
        tts.evaluate("search.n=8", n=4)


def test_the_clock_of_the_configuration_holds() -> None:
    first, second = (tts.evaluate(*PLANNED, limit=4, n=4) for _ in range(2))
    assert first.summary["wall_s"] > 10
    assert (first.summary, first.records) == (second.summary, second.records)  # times included


def test_a_task_of_one_s_own_and_a_folder(tmp_path: Path) -> None:
    questions = ("What is 1?", "What\u2028is\x85one\x0c?")
    kept = tts.evaluate(PLANNED[0], task=Problems(*questions), n=2, folder=tmp_path / "run")
    held = tts.evaluate(PLANNED[0], task=Problems(*questions), n=2)
    assert [record["question"] for record in kept.records] == list(questions)
    assert kept.records == held.records == records(tmp_path / "run")
    assert kept.summary == held.summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert kept.title == held.title == "mine: BestOfN, N = 2, K = 1"


def test_a_folder_with_results_is_resumed_or_left_alone(tmp_path: Path) -> None:
    tts.evaluate(*PLANNED, limit=2, n=2, folder=tmp_path)
    before = (tmp_path / "results.jsonl").read_bytes()
    with pytest.raises(tts.UserError, match="it holds results; set 'resume=true' to resume from them"):
        tts.evaluate(*PLANNED, limit=4, n=2, folder=tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == before
    assert (tmp_path / "summary.json").exists()
    whole = tts.evaluate(*PLANNED, "resume=true", limit=4, n=2, folder=tmp_path)
    assert whole.summary["resumed"] == 2
    again = tts.evaluate(*PLANNED, limit=4, n=2).records
    assert [{**one, "wall_s": 0} for one in whole.records] == [{**one, "wall_s": 0} for one in again]


@pytest.mark.integration
def test_a_folder_is_that_of_the_command_line(tmp_path: Path) -> None:
    overrides = (*PLANNED, "search=beam", "search.width=2", "seed=5")
    done = python("-m", "tts", "hydra.run.dir=theirs", *overrides, "search.n=4", "task.limit=6", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    ours = tts.evaluate(*overrides, n=4, limit=6, folder=tmp_path / "ours")
    assert (tmp_path / "ours" / "results.jsonl").read_bytes() == (tmp_path / "theirs" / "results.jsonl").read_bytes()
    theirs = tts.load(tmp_path / "theirs")
    assert list(ours.summary) == list(theirs.summary)
    assert ours.summary == theirs.summary
    trees = [{path.name for path in (tmp_path / run / "trees").iterdir()} for run in ("ours", "theirs")]
    assert trees[0] == trees[1] != set()
    # What the command line shows at the end is what an evaluation shows.
    assert "\n".join(str(ours).splitlines()[2:]) in "\n".join(line.rstrip() for line in done.stdout.splitlines())


INTERRUPTED = """
import asyncio, os, pathlib, threading, tts
call = lambda: tts.evaluate("in_flight.problems=2", limit=2000, n=2, votes=1, folder="run")
async def inside():
    call()
try:
    {call}
except KeyboardInterrupt:
    children = pathlib.Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split()
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("tts")]
    print("interrupted", children, threads)
"""


@pytest.mark.integration
@pytest.mark.parametrize("call", ["call()", pytest.param("asyncio.run(inside())", marks=pytest.mark.slow)])
def test_ctrl_c_keeps_what_was_finished_and_frees_the_rest(tmp_path: Path, call: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(call=call)]
    environment, pipe = {**os.environ, "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=heeded
    ) as process:
        results, deadline = tmp_path / "run" / "results.jsonl", time.monotonic() + 200
        while (
            time.monotonic() < deadline and process.poll() is None and not (results.exists() and results.stat().st_size)
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert output == "interrupted [] []\n", errors
    assert process.returncode == 0
    kept = tts.load(tmp_path / "run")
    assert 0 < len(kept) == kept.summary["n_problems"] < 2000


def test_importing_it_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ["numpy", "torch", "transformers", "hydra", "omegaconf", "networkx", "rich"]
    code = f"import sys, tts; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_its_names() -> None:
    assert set(tts.__all__) <= set(dir(tts))
    assert all(getattr(tts, name) is not None for name in dir(tts))
    with pytest.raises(AttributeError, match="module 'tts' has no attribute 'nonsense'"):
        tts.nonsense  # noqa: B018
