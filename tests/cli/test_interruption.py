"""Ctrl-C, SIGTERM and SIGHUP: once in order, twice at once, and the command that is told goes on."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engines.server import completion, serve
from tests.signals import ROOT, begun, heeded, signalled

pytestmark = pytest.mark.integration

TTS = (sys.executable, "-c", "import sys; from tts.cli.main import main; sys.exit(main())")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def command(tmp_path: Path) -> Iterator[list[str]]:
    """A search of 20 problems, one after the other, with a server that takes its time."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.05)
        return completion(body, "The answer is \\boxed{1}.")

    rows = [{"id": str(number), "question": f"{number}?", "answer": "1"} for number in range(20)]
    (tmp_path / "task.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serve(answer) as server:
        yield [
            "task=jsonl", f"task.path={tmp_path / 'task.jsonl'}", "policy=generic", "engine@policy.engine=openai",
            f"policy.engine.base_url={server.url}", "policy.engine.model=m", "policy.chat=chatml", "search=majority",
            "search.n=1", "sandbox=none", "in_flight.problems=1",
        ]  # fmt: skip


@contextmanager
def running(arguments: list[str], folder: Path, run: Path) -> Iterator[subprocess.Popen[str]]:
    """A search that has recorded some problems, and not all."""
    started = subprocess.Popen(
        [*TTS, "search", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeded,
    )
    try:
        wait(lambda: started.poll() is not None or lines(run) >= 3)
        assert started.poll() is None, started.communicate()
        yield started
    finally:
        started.kill()
        started.communicate()


def lines(run: Path) -> int:
    file = run / "results.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def state(run: Path) -> str:
    return str(json.loads((run / "status.json").read_text())["state"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_in_order_and_names_the_command_that_goes_on(
    tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    run = tmp_path / "my run"
    with running([*command, f"hydra.run.dir={run}"], tmp_path, run) as started:
        started.send_signal(number)
        _, said = started.communicate()
    assert started.returncode == 128 + number
    assert "Traceback" not in said
    assert state(run) == "interrupted"
    done = lines(run)
    assert json.loads((run / "summary.json").read_text())["n_problems"] == done < 20
    again = shlex.split(said.split("to go on: ")[1].replace("\n", " "))
    assert again[:2] == ["tts", "search"]
    assert again[-1] == "resume=true"
    if number is not signal.SIGINT:  # the rest is the same
        return
    goes_on = subprocess.run([*TTS, *again[1:]], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert goes_on.returncode == 0, goes_on.stderr
    assert json.loads((run / "summary.json").read_text())["resumed"] == done
    assert (state(run), lines(run)) == ("finished", 20)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(tmp_path: Path, command: list[str], second: signal.Signals) -> None:
    run = tmp_path / "run"
    with running([*command, f"hydra.run.dir={run}"], tmp_path, run) as started:
        # While it is stopped both arrive, and it can do nothing in between.
        started.send_signal(signal.SIGSTOP)
        started.send_signal(signal.SIGINT)
        started.send_signal(second)
        started.send_signal(signal.SIGCONT)
        if second is signal.SIGINT:  # of two equal signals that wait the system keeps one
            started.send_signal(second)
        _, said = started.communicate()
    assert started.returncode in (130, 143)
    assert "Traceback" not in said
    assert "Fatal" not in said
    assert state(run) == "interrupted"
    assert all(json.loads(line) for line in (run / "results.jsonl").read_text().splitlines())


def test_a_sweep_names_itself(tmp_path: Path, command: list[str]) -> None:
    sweep = tmp_path / "sweep"
    arguments = [*command, "-m", f"hydra.sweep.dir={sweep}", "seed=0,1"]
    line = [*TTS, "search", *arguments]
    started = subprocess.Popen(
        line, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, preexec_fn=heeded
    )
    wait(lambda: started.poll() is not None or any(lines(path.parent) >= 3 for path in sweep.glob("*/results.jsonl")))
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate()
    assert started.returncode == 143
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert len(list(sweep.glob("*/status.json"))) == 1
    again = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0
    assert [lines(path.parent) for path in sweep.glob("*/status.json")] == [20, 20]


def test_nohup_survives_a_hangup(tmp_path: Path, command: list[str]) -> None:
    run = tmp_path / "run"
    line = ["nohup", *TTS, "search", *command, f"hydra.run.dir={run}"]
    started = subprocess.Popen(
        line, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait(lambda: started.poll() is not None or lines(run) >= 3)
    started.send_signal(signal.SIGHUP)
    assert started.wait() == 0
    assert (state(run), lines(run)) == ("finished", 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("after", [0.0, 0.7, 2.5])
def test_signals_at_any_time_end_it_without_a_traceback(
    tmp_path: Path, number: signal.Signals, times: int, after: float
) -> None:
    with begun("search", f"hydra.run.dir={tmp_path / 'run'}") as started:
        status, said = signalled(started, number, times, after)
    assert status in (128 + number, -number)  # its modules are imported; with the second it may be leaving them
    assert "Traceback" not in said
    assert "Fatal" not in said


def test_what_a_finaliser_swallows_ends_the_process_all_the_same() -> None:
    code = """if True:
        import signal
        from tts.cli.interruption import once

        class Final:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)

        with once():
            Final()
            print("went on")
    """
    line = [sys.executable, "-c", code]
    ended = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=heeded)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
