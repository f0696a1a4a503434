"""`python -m tts.judge` as users run it: killed, interrupted, over several values."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import program
from tests.judge.helpers import results, rows, summary, write
from tests.signals import heeded

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
COUNT = 200
SLOW = ["verifier=calculator", "verifier._target_=tests.judge.helpers.Told", "+verifier.delay=0.02", "sandbox=none"]


def command(folder: Path, *overrides: str) -> list[str]:
    return ["-m", "tts.judge", *overrides, f"hydra.run.dir={folder / 'run'}", "bootstrap.resamples=20"]


def run(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    result = program.run(*command(folder, *overrides), folder=ROOT)
    assert "Traceback" not in result.stdout + result.stderr
    return result


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_run_goes_on_where_it_was(tmp_path: Path, ending: signal.Signals) -> None:
    data = write(tmp_path / "data.jsonl", rows(COUNT))
    overrides = [f"task.path={data}", *SLOW, "in_flight.problems=2"]
    path = tmp_path / "run/results.jsonl"

    process = subprocess.Popen(
        [sys.executable, *command(tmp_path, *overrides)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heeded,
    )
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes().count(b"\n") >= 20):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(ending)
    said = process.communicate(timeout=60)[0]
    assert "Traceback" not in said
    if ending == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; finished problems are kept" in said
        assert summary(tmp_path / "run")["n_problems"] == len(results(tmp_path / "run")) < COUNT
    with path.open("ab") as file:
        file.write(b'{"id": "p%d", "key' % (COUNT - 1))
    kept = path.read_bytes().count(b"\n")
    again = run(tmp_path, f"task.path={data}", *SLOW)
    assert again.returncode == 0, again.stdout
    found = summary(tmp_path / "run")
    assert (found["n_resumed"], found["n_problems"], found["f1"]) == (kept, COUNT, 1.0)
    assert [row["id"] for row in results(tmp_path / "run")] == [f"p{number}" for number in range(COUNT)]


def test_a_sweep_over_files_judges_each(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.jsonl", rows(3, name)) for name in "ab"]
    result = run(
        tmp_path,
        "-m",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
        f"task.path={files[0]},{files[1]}",
        "verifier=always_correct",
        "sandbox=none",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    summaries = [json.loads(path.read_text()) for path in sorted((tmp_path / "sweep").glob("*/summary.json"))]
    assert sorted(name for found in summaries for name in found["subsets"]) == ["a", "b"]
    assert result.stdout.count("tokens out") == 2


def test_a_mistake_is_one_message(tmp_path: Path) -> None:
    result = run(tmp_path, "task.path=/none.jsonl", "verifier=calculator")
    assert result.returncode == 2
    assert "error: there is no data file /none.jsonl; check the path" in result.stdout
    result = run(tmp_path, "verifier=calculater")
    assert result.returncode == 2
    assert "calculator" in result.stdout + result.stderr


def test_another_threshold_reads_the_same_verdicts_also_where_it_is_told_to_resume(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", rows(3))
    found = {}
    for value in ("0.5", "0.9"):
        done = run(tmp_path, f"task.path={data}", *SLOW, "resume=true", f"threshold.value={value}")
        assert done.returncode == 0, done.stdout
        found[value] = summary(tmp_path / "run")
    assert [(one["n_resumed"], one["threshold"]["value"]) for one in found.values()] == [(0, 0.5), (3, 0.9)]
    # Nothing was started again, and what had judged is still said.
    assert found["0.5"]["sandbox"] == found["0.9"]["sandbox"]
    assert found["0.5"]["engines"] == found["0.9"]["engines"]
