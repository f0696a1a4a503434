"""`tts synthesize` as users run it: what it writes, what it goes on from, what it refuses."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synthesize.helpers import (
    GENPRM,
    REASONER,
    engine,
    label_rows,
    rationales,
    summary,
    synthesize,
    timeless,
    write,
)
from tts.synthesize.repetition import repetition

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, path: Path, *overrides: str) -> tuple[int, str]:
    return synthesize(folder, *GENPRM, *engine(REASONER), f"task.path={path}", *overrides)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("labels") / "labels.jsonl", label_rows())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, labels: Path) -> Path:
    folder = tmp_path_factory.mktemp("synthesize") / "run"
    status, said = run(folder, labels, "samples=2")
    assert status == 0, said
    return folder


@pytest.mark.parametrize("torn", [b"", b'{"id": "p#3/0", "sol'])
def test_what_a_killed_run_left_is_gone_on_with(tmp_path: Path, labels: Path, finished: Path, torn: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    kept = (finished / "rationales.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "rationales.jsonl").write_bytes(kept[7] + kept[1] + torn)
    status, said = run(folder, labels, "samples=2")
    assert status == 0, said
    assert summary(folder)["resumed"] == 2
    assert timeless(folder) == timeless(finished)


def test_other_labels_of_the_same_solutions_need_no_sample(tmp_path: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "rationales.jsonl").write_bytes((finished / "rationales.jsonl").read_bytes())
    others = [{**row, "labels": [-1, -1, -1], "label": 0, "correct": None} for row in label_rows()]
    status, said = run(folder, write(tmp_path / "labels.jsonl", others), "samples=2")
    assert status == 0, said
    found = summary(folder)
    assert (found["resumed"], found["generated"]["writer_tokens"]) == (12, 0)
    assert {(row["label"], row["correct"]) for row in rationales(folder)} == {(0, None)}
    assert [row["messages"] for row in rationales(folder)] == [row["messages"] for row in rationales(finished)]


def test_a_limit_of_the_run_ends_it_and_a_higher_one_goes_on(tmp_path: Path, labels: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    status, said = run(folder, labels, "samples=2", "budget.run.calls=12", "in_flight.problems=2")
    assert status == 0
    assert "the limit run.calls ended the run after" in said
    assert summary(folder)["n_rationales"] < 12
    assert run(folder, labels, "samples=2")[0] == 0
    assert timeless(folder) == timeless(finished)


def test_a_limit_of_a_rationale_drops_it(tmp_path: Path, labels: Path) -> None:
    status, said = run(tmp_path / "run", labels, "budget.problem.calls=2", "task.limit=2")
    assert (status, summary(tmp_path / "run")["dropped"]) == (0, {"limit": 2})
    assert "2: a limit of the budget ended it" in said


def test_no_speed_changes_a_rationale(tmp_path: Path, labels: Path, finished: Path) -> None:
    assert run(tmp_path / "run", labels, "samples=2", "in_flight.problems=1", "in_flight.writer=1")[0] == 0
    assert timeless(tmp_path / "run") == timeless(finished)


def test_a_bank_has_what_was_written(tmp_path: Path, labels: Path) -> None:
    chosen = ["writer=embedded", "sandbox=none", f"task.path={labels}", f"bank.path={tmp_path / 'bank.sqlite'}"]
    for folder in ("a", "b"):
        assert synthesize(tmp_path / folder, *chosen)[0] == 0
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    assert summary(tmp_path / "a")["generated"]["writer_tokens"] > 0
    assert summary(tmp_path / "b")["generated"]["writer_tokens"] == 0


def test_a_dry_run_names_the_cost_and_starts_nothing(tmp_path: Path, labels: Path) -> None:
    status, said = run(tmp_path / "run", labels, "samples=3", "dry_run=true", "budget.problem.tokens=5000")
    assert status == 0
    assert "6 solutions, 18 steps" in said
    # 16,384 tokens of a turn and 16 of each of four conclusions.
    assert f"18 rationales, {18 * (16384 + 64):,} writer tokens" in said
    assert "of each rationale: tokens 5,000" in said
    assert "### Paragraph 1\n<analyze>\n⟦…⟧" in said
    assert not (tmp_path / "run/rationales.jsonl").exists()


def test_other_tasks_of_labelled_solutions_are_read(tmp_path: Path) -> None:
    row: dict[str, Any] = {"id": "a", "problem": "Why?", "steps": ["one", "is wrong"], "label": 1}
    path = write(tmp_path / "math.jsonl", [row, {**row, "id": "b", "label": -1}])
    status, said = run(tmp_path / "run", path, "task=processbench")
    assert status == 0, said
    assert [(row["label"], row["labels"], row["correct"]) for row in rationales(tmp_path / "run")] == [
        (1, [1, -1], None),
        (-1, [1, 1], None),
    ]


def test_labels_of_another_task_do_not_go_into_the_same_folder(tmp_path: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "rationales.jsonl").write_bytes((finished / "rationales.jsonl").read_bytes())
    others = [{**row, "id": row["id"].replace("p", "q")} for row in label_rows()]
    status, said = run(folder, write(tmp_path / "labels.jsonl", others), "samples=2")
    assert status == 2
    assert "rationales.jsonl:1: 'p#0/0' is not in this task" in said
    status, said = run(folder, write(tmp_path / "labels.jsonl", label_rows()), "samples=2", "writer.temperature=0.7")
    assert status == 2
    assert "was written with another configuration (writer, sandbox, seed, budget.problem)" in said


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["task.path=none.jsonl"], "there is no data file none.jsonl"),
        (["task.path=null"], "task.path=null: the file that holds the problems is needed"),
        (["task=arithmetic", "~task.path"], "its problems are not labelled solutions"),
        (["task.path={bad}"], "bad.jsonl:2: a step's label is -100"),
        (["task.path={texts}"], "texts.jsonl:1: the steps must be a list of texts"),
        (["task.path={correct}"], "correct.jsonl:1: whether the answer is correct must be true, false or null"),
        (["samples=0"], "samples=0: at least 1 is needed"),
        (["most_repetition=2"], "most_repetition=2"),
        (["writer.rounds=0"], "writer.rounds=0"),
        (["writer.first_turn=odd"], "writer.first_turn=odd"),
        (["+writer.format=1"], "writer.format: no such setting"),
        (["in_flight.writer=0"], "in_flight.writer=0"),
    ],
)
def test_mistakes_are_one_message_and_status_2(tmp_path: Path, labels: Path, overrides: list[str], says: str) -> None:
    rows = label_rows(2)
    files = {
        "bad": write(tmp_path / "bad.jsonl", [rows[0], {**rows[1], "labels": [1, -100, 1]}]),
        "texts": write(tmp_path / "texts.jsonl", [{**rows[0], "steps": "one"}]),
        "correct": write(tmp_path / "correct.jsonl", [{**rows[0], "correct": "yes"}]),
    }
    path = [] if "~task.path" in overrides else [f"task.path={labels}"]
    named = [override.format_map(files) if "{" in override else override for override in overrides]
    named = [override for override in named if override != "~task.path"]
    status, said = synthesize(tmp_path / "run", *GENPRM, *engine(REASONER), *path, *named)
    assert says in said
    assert (status, said.count("error:")) == (2, 1)
    assert not (tmp_path / "run/rationales.jsonl").exists()


def test_a_full_disk_ends_the_run_cleanly_and_it_resumes(
    tmp_path: Path, labels: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tts.files import jsonl_log

    written = 0

    def append(self: Any, number: int, record: Any, real: Any = jsonl_log.JsonlLog.append) -> None:
        nonlocal written
        written += 1
        with jsonl_log.writing(tmp_path / "run"):
            if written > 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, number, record)

    with monkeypatch.context() as patched:
        patched.setattr(jsonl_log.JsonlLog, "append", append)
        status, said = run(tmp_path / "run", labels, "samples=2", "in_flight.problems=1")
    assert status == 2
    assert "No space left on device; finished records are kept" in said
    assert run(tmp_path / "run", labels, "samples=2")[0] == 0
    assert summary(tmp_path / "run")["resumed"] == 3
    assert timeless(tmp_path / "run") == timeless(finished)


@given(st.lists(st.sampled_from("abc")), st.integers(2, 6))
def test_repetition_is_a_share_that_grows_with_every_repetition(words: list[str], times: int) -> None:
    text = " ".join(words)
    share = repetition(text)
    assert 0 <= share < 1
    if len(set(words)) == len(words):
        assert share == 0
    if len(words) >= 4:
        assert repetition(" ".join(words * times)) <= repetition(" ".join(words * (times + 1)))
        assert repetition(" ".join(words * 40)) > 0.5


@pytest.mark.integration
@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_gone_on_with_and_gives_the_same_file(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.jsonl", label_rows(30))
    command = [sys.executable, "-m", "tts.synthesize", f"task.path={path}", "sandbox=none", "in_flight.problems=1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def args(folder: str) -> dict[str, Any]:
        command_ = [*command, f"hydra.run.dir={tmp_path / folder}"]
        return {"args": command_, "cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL}

    subprocess.run(**args("whole"), check=True)
    process = subprocess.Popen(**args("killed"))
    file = tmp_path / "killed/rationales.jsonl"
    deadline = time.monotonic() + 300
    while process.poll() is None and not (file.exists() and file.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = sum(line.endswith(b"\n") for line in file.read_bytes().splitlines(keepends=True))
    assert 1 <= before < 30
    subprocess.run(**args("killed"), check=True)
    assert json.loads((tmp_path / "killed/summary.json").read_text())["resumed"] == before
    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")
