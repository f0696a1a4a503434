"""Sweep cells: their names and their states."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.cli.objective import Objective
from tts.cli.run_directory import RunDirectory, cell_name
from tts.cli.sweep import Sweep
from tts.core.errors import UserError

overrides = st.lists(
    st.tuples(
        st.sampled_from(["search", "search.n", "task.path", "+x.y", "engine@policy.engine", "seed"]), st.text(max_size=30)
    ),
    unique_by=lambda pair: pair[0],
    max_size=6,
).map(lambda pairs: [f"{key}={value}" for key, value in pairs])  # fmt: skip


@given(overrides, st.randoms())
def test_a_name_does_not_depend_on_order_and_is_a_file_s_name(given_: list[str], random) -> None:  # type: ignore[no-untyped-def]
    name = cell_name(given_, "0123456789abcdef")
    shuffled = list(given_)
    random.shuffle(shuffled)
    assert cell_name(shuffled, "0123456789abcdef") == name
    assert re.fullmatch(r"[\w.,=@~-]+", name, re.ASCII)
    assert not name.startswith("-")
    assert len(name) < 200
    assert name.endswith("0123456789abcdef")


def test_a_name_shows_what_shapes_results() -> None:
    shown = [
        "verifier.votes=4",
        "search.n=16",
        "in_flight.policy=3",
        "bank.path=/b.sqlite",
        "resume=true",
        "task.path=/a/b.jsonl",
    ]
    assert cell_name(shown, "h") == "search.n=16,task.path=b.jsonl,verifier.votes=4-h"
    assert cell_name([], "h") == "h"


def test_a_cell_is_finished_once_its_run_came_to_its_end_without_an_error(tmp_path: Path) -> None:
    cell = RunDirectory(tmp_path, "h")
    assert not cell.finished
    cell.check()  # nothing there that could be another's
    cell.begin()
    (tmp_path / "results.jsonl").touch()
    (tmp_path / "summary.json").write_text('{"accuracy": 0.5}')
    assert not cell.finished
    cell.check()
    cell.end(1, ["one problem failed", "another"])
    assert not cell.finished
    assert cell.failure() == (1, "one problem failed; another")
    cell.end(0, [])
    assert cell.finished
    assert cell.failure() is None
    assert cell.objective(Objective("accuracy")) == 0.5
    other = RunDirectory(tmp_path, "other")
    assert not other.finished
    with pytest.raises(UserError, match="the results of another configuration"):
        other.check()
    (tmp_path / "summary.json").unlink()
    assert not cell.finished


@pytest.mark.parametrize("text", [None, "", '{"config_hash": "h", "sta'])
def test_a_status_that_is_not_there_or_torn_is_no_status(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "status.json").write_text(text)
    cell = RunDirectory(tmp_path, "h")
    assert not cell.finished
    assert cell.failure() is not None


def test_two_processes_do_not_run_in_one_directory(tmp_path: Path) -> None:
    first, second = RunDirectory(tmp_path, "h"), RunDirectory(tmp_path, "h")
    with first.alone(), pytest.raises(UserError, match="another process is running there"), second.alone():
        pass
    with second.alone():
        pass


def test_a_sweep_accounts_for_all_of_its_cells(tmp_path: Path) -> None:
    sweep = Sweep()
    assert sweep.end() == {}  # a single run
    sweep.begin(tmp_path)
    states = {"done": (0, []), "failed": (2, ["search.n=0"]), "killed": None, "not begun": None, "again": (0, [])}
    for name, end in states.items():
        folder = tmp_path / name
        folder.mkdir()
        for _ in range(2 if name == "again" else 1):
            sweep.add(folder)
        if name != "not begun":
            RunDirectory(folder, name).begin()
        if end is not None:
            RunDirectory(folder, name).end(*end)
    failures = {folder.name: status for folder, (status, _) in sweep.end().items()}
    assert failures == {"failed": 2, "killed": 1, "not begun": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(states)
    assert json.loads((tmp_path / "failed" / "status.json").read_text())["errors"] == ["search.n=0"]
