"""Runs that are cut short, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.files.limits import largest_file
from tests.train.helpers import TINY, labelled, lines, needs_train, train, trained, weights, written

pytestmark = [pytest.mark.integration, needs_train]

ROOT = Path(__file__).resolve().parents[2]
HEAD = (*TINY, "method=head", "verifier=trl-prm-training", "trainer.batch=8", "trainer.log_every=2")
LONG = (*HEAD, "trainer.epochs=9", "trainer.save_every=5")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return written(tmp_path / "labels.jsonl", labelled(40))


def _metrics(folder: Path) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in lines(folder / "metrics.jsonl")]


def _same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert _metrics(one) == _metrics(other)


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path, rows: Path) -> None:
    trained(tmp_path / "whole", *LONG, f"data.path={rows}")
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "tts.train", *LONG, f"data.path={rows}", f"hydra.run.dir={folder}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    # In the middle of its second epoch, or anywhere behind that.
    while process.poll() is None and not list(folder.glob("checkpoints/*/complete")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "model").exists()
    trained(folder, *LONG, f"data.path={rows}")
    _same(tmp_path / "whole", folder)
    assert not (folder / "checkpoints").exists()


def test_a_full_disk_ends_a_run_cleanly_and_it_goes_on(tmp_path: Path, rows: Path) -> None:
    folder = tmp_path / "run"
    with largest_file(20_000):
        status, output = train(folder, *LONG, f"data.path={rows}")
    assert status == 2
    assert "the last complete checkpoint is kept" in output
    assert not (folder / "model").exists()
    trained(folder, *LONG, f"data.path={rows}")
    trained(tmp_path / "whole", *LONG, f"data.path={rows}")
    _same(tmp_path / "whole", folder)


def test_a_finished_training_is_not_done_again(tmp_path: Path, rows: Path) -> None:
    folder = tmp_path / "run"
    first = trained(folder, *HEAD, f"data.path={rows}")
    written_at = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    # Another held-out set judges the same weights.
    again = trained(folder, *HEAD, f"data.path={rows}", "task@evaluate=labels", f"evaluate.path={rows}")
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == written_at
    assert again["loss"] == first["loss"]
    assert again["f1"] is not None


def test_a_folder_holds_one_training(tmp_path: Path, rows: Path) -> None:
    trained(tmp_path / "run", *HEAD, f"data.path={rows}")
    for other in ("trainer.epochs=2", "seed=1", "base.width=64"):
        status, output = train(tmp_path / "run", *HEAD, f"data.path={rows}", other)
        assert status == 2
        assert "holds another training" in output
    written(rows, labelled(20))
    status, output = train(tmp_path / "run", *HEAD, f"data.path={rows}")
    assert status == 2
    assert "holds another training" in output


@pytest.mark.slow
def test_processes_share_a_batch(tmp_path: Path, rows: Path) -> None:
    # Steps of different lengths, so that the shares of a batch have different numbers of labels.
    settings = (*HEAD, "trainer.epochs=2", "trainer.log_every=1", f"data.path={rows}")
    trained(tmp_path / "one", *settings)
    trained(tmp_path / "two", *settings, "trainer.devices=2")
    one, two = _metrics(tmp_path / "one"), _metrics(tmp_path / "two")
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-4)
