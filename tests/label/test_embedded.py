"""The whole job on the embedded policy, graded by the truth that the arithmetic task knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.label.helpers import SIMULATED, lines, summary, timeless
from tts.label.compare import agreement
from tts.tasks.label_file import read_labels

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("task.limit=2", "sampling.keep=6", "sampling.first=16", "sampling.most=64", "sandbox=none")


def command(folder: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "tts.label", *SMALL, *overrides, f"hydra.run.dir={folder}"]


def run(folder: Path, *overrides: str) -> str:
    done = subprocess.run(
        command(folder, *overrides), cwd=ROOT, env=_env(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("label") / "run"
    run(folder, "completions=fixed", "completions.k=16", "rule=hard")
    return folder


def test_counts_tell_wrong_steps_from_right_ones(tmp_path: Path, counted: Path) -> None:
    run(tmp_path / "truth", "rule=judge", "completions=none", "verifier=arithmetic_truth")
    truth = read_labels(tmp_path / "truth/labels.jsonl")
    found = agreement(truth, read_labels(counted / "labels.jsonl"))
    assert found.missing == 0
    # Coarse: a wrong count or a shifted step misses them by far. A wrong step has its error nearly always to the end.
    assert found.precision is not None
    assert found.precision > 0.75
    assert found.recall is not None
    assert found.recall > 0.75


def test_another_rule_resumes_the_same_records_also_where_it_is_told_to(tmp_path: Path) -> None:
    run(tmp_path / "run", *SIMULATED, "resume=true", "rule=rpe")
    run(tmp_path / "run", *SIMULATED, "resume=true", "rule=hard")
    assert summary(tmp_path / "run")["resumed"] == 6
    assert summary(tmp_path / "run")["rule"]["_target_"].endswith("Hard")
    assert "finished before" in run(tmp_path / "run", *SIMULATED, "resume=true", "rule=hard")


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with_and_gives_the_same_files(tmp_path: Path, counted: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, "completions=fixed", "completions.k=16", "rule=hard", "in_flight.problems=1"),
        cwd=ROOT,
        env=_env(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = folder / "results.jsonl"
    deadline = time.monotonic() + 300
    while process.poll() is None and not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(lines(path))
    assert 1 <= before <= 3
    run(folder, "completions=fixed", "completions.k=16", "rule=hard")
    assert summary(folder)["resumed"] == before
    assert timeless(folder) == timeless(counted)
    assert (folder / "labels.jsonl").read_bytes() == (counted / "labels.jsonl").read_bytes()
