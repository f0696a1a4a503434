"""Typing errors and dry runs leave no directories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import program
from tts.cli.footprint import Footprint

TASK = ("task=jsonl", "task.path=task.jsonl", "policy=simulated", "engine@policy.engine=simulated", "search=majority",
        "sandbox=none", "clock=virtual")  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rows = [{"id": str(number), "question": "1 + 1?", "answer": "2"} for number in range(2)]
    (tmp_path / "task.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("dry_run=true",), 0),
        (("dry_run=true", "hydra.run.dir=a/b/c"), 0),
        (("dry_run=true", "-m", "search.n=1,2"), 0),
        (("serch.n=4",), 2),
        (("search.n=0",), 2),
        (("search.n=many",), 2),
        (("+unknown=1",), 2),
        (("task.path=nowhere.jsonl",), 2),
        (("search=bean",), 2),
        (("-m", "search.n=1,2", "serch.n=4"), 2),
        (("-m", "search.n=0,-1"), 2),
        (("-m", "task.path=nowhere.jsonl", "search.n=1,2", "hydra.sweep.dir=a/b"), 2),
    ],
)
def test_nothing_is_left(place: Path, arguments: tuple[str, ...], status: int) -> None:
    done = program.run("-m", "tts", *TASK, *arguments, folder=place)
    assert done.returncode == status, done.stdout + done.stderr
    assert [path.name for path in place.iterdir()] == ["task.jsonl"]


@pytest.mark.integration
def test_what_a_run_leaves_stays_and_so_does_what_was_there(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "yours").mkdir()
    (place / "yours" / "notes.txt").write_text("")
    for folder, more in (
        ("mine", "dry_run=true"),
        ("yours", "serch.n=1"),
        ("run", "search.n=1"),
        ("run", "dry_run=true"),
    ):
        program.run("-m", "tts", *TASK, more, f"hydra.run.dir={folder}", folder=place)
    assert (place / "run" / "summary.json").exists()
    assert (place / "mine").is_dir()
    assert (place / "yours" / "notes.txt").exists()


def test_a_directory_beside_it_stays(tmp_path: Path) -> None:
    footprint = Footprint()
    footprint.expect(tmp_path / "outputs" / "day" / "time")
    (tmp_path / "outputs" / "day" / "time" / ".hydra").mkdir(parents=True)
    (tmp_path / "outputs" / "day" / "other").mkdir()
    footprint.clear()
    assert [path.name for path in (tmp_path / "outputs" / "day").iterdir()] == ["other"]
