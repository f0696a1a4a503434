"""Bad disks and directories: one message, nothing lost, and the same command goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = 40


def problems(folder: Path, name: str = "problem") -> list[str]:
    """Writes a task with its recorded solutions, and returns the overrides that search it."""
    rows = [
        {
            "id": f"{name} {number}",
            "question": f"{number} + 1?",
            "answer": str(number + 1),
            "solutions": [{"text": "x" * 500 + f"\n\nThe answer is \\boxed{{{number + 1}}}."} for _ in range(2)],
        }
        for number in range(PROBLEMS)
    ]
    samples = folder / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["task=jsonl", f"task.path={samples}", "policy=recorded", f"policy.path={samples}", "search=majority",
            "search.n=2", "sandbox=none", "in_flight.problems=1"]  # fmt: skip


def tts(*arguments: str, command: str = "tts", permitted: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command, which must not end with a traceback and tells at most one error.

    Args:
        arguments: Its arguments.
        command: Its module.
        permitted: Whether root may read and write everything, as it usually may.
    """
    if permitted or os.geteuid() != 0:
        done = program.run("-m", command, *arguments, folder=ROOT)
    else:
        limits = [f"--{kind}=-dac_override,-dac_read_search" for kind in ("bounding-set", "inh-caps")]
        line = ["setpriv", *limits, sys.executable, "-m", command, *arguments]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert said.count("error:") <= 1, said
    return done


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system of its own."""
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def results(folder: Path) -> list[object]:
    """The records without their times."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in rows]


@pytest.mark.parametrize("size", ["8k", "24k", "64k", "128k"])
def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, size: str) -> None:
    task = problems(tmp_path)
    whole = tmp_path / "whole"
    assert tts(*task, f"hydra.run.dir={whole}").returncode == 0
    with mounted(tmp_path / "small", f"size={size}") as small:
        run = small / "run"
        done = tts(*task, f"hydra.run.dir={run}", "resume=true")
        said = done.stdout + done.stderr
        assert done.returncode == 2, said
        assert "No space left on device; " in said or "cannot be written: No space left on device" in said
        kept = (run / "results.jsonl").read_text().count("\n") if (run / "results.jsonl").exists() else 0
        assert kept < PROBLEMS
        subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
        assert tts(*task, f"hydra.run.dir={run}", "resume=true").returncode == 0
        assert json.loads((run / "summary.json").read_text())["resumed"] == kept
        assert results(run) == results(whole)
        assert json.loads((run / "status.json").read_text())["state"] == "finished"


@pytest.mark.parametrize("command", ["tts", "tts.judge", "tts.label"])
@pytest.mark.parametrize("name", ["results.jsonl", ".lock", "status.json", "summary.json", "{job}.log", ".hydra"])
def test_a_directory_in_place_of_a_file(tmp_path: Path, command: str, name: str) -> None:
    run, job = tmp_path / "run", command.removeprefix("tts.")
    (run / name.format(job=job)).mkdir(parents=True)
    task = {"tts": problems(tmp_path), "tts.judge": judged(tmp_path), "tts.label": labelled(tmp_path)}[command]
    done = tts(*task, f"hydra.run.dir={run}", command=command)
    if name == ".hydra":
        assert done.returncode == 0, done.stderr
        (run / ".hydra" / "config.yaml").unlink()
        (run / ".hydra" / "config.yaml").mkdir()
        done = tts(*task, f"hydra.run.dir={run}", "resume=true", command=command)
    assert done.returncode == 2, done.stdout + done.stderr
    assert name.format(job=job) in done.stdout + done.stderr
    assert not list(run.glob("*.jsonl/*"))


def judged(folder: Path) -> list[str]:
    """Writes labelled solutions, and returns the overrides that judge them."""
    rows = [{"id": str(i), "question": "?", "steps": ["a", "b"], "label": -1} for i in range(3)]
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["task=labelled", f"task.path={file}", "verifier=random", "sandbox=none"]


def labelled(folder: Path) -> list[str]:
    """Writes problems with solutions, and returns the overrides that label them."""
    return [each for each in problems(folder) if not each.startswith("search")] + [
        "sampling=all", "completions=none", "rule=judge", "verifier=random",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "says"),
    [("/proc/run", "/proc/run"), ("/dev/null/run", "Not a directory"), ("{long}", "File name too long")],
)
def test_a_run_directory_that_cannot_be(tmp_path: Path, place: str, says: str) -> None:
    done = tts(*problems(tmp_path), f"hydra.run.dir={place.format(long=tmp_path / ('x' * 300))}")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr) < 1000


@pytest.mark.parametrize(
    ("setting", "more"),
    [
        ("run: {dir", []),
        ("sweep: {dir", ["-m"]),
        ("sweep: {subdir", ["-m", "hydra.sweep.dir={runs}"]),
        ("job: {name", ["hydra.run.dir={runs}"]),
        ("output_subdir", ["hydra.run.dir={runs}"]),
    ],
)
def test_a_null_character_in_the_name_of_a_file_of_hydra_s_is_one_message(
    tmp_path: Path, setting: str, more: list[str]
) -> None:
    own = tmp_path / "conf" / "experiment" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nhydra: {" + setting + r': "a\0b"' + "}" * (1 + setting.count("{")) + "\n")
    more = [one.format(runs=tmp_path / "runs") for one in more]
    done = tts(*problems(tmp_path), *more, "--config-dir", str(own.parents[1]), "experiment=own")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the name of a file or directory")
    assert not (tmp_path / "runs").exists()


def test_a_read_only_disk_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    task = problems(tmp_path)
    with mounted(tmp_path / "small", "size=8m") as small:
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        for flags in ((f"hydra.run.dir={small / 'run'}",), ("-m", f"hydra.sweep.dir={small / 'sweep'}")):
            done = tts(*task, *flags)
            assert done.returncode == 2
            assert "Read-only file system" in done.stderr
            assert "hydra.run.dir" in done.stderr


def test_files_that_may_not_be_read_or_written(tmp_path: Path) -> None:
    task, samples = problems(tmp_path), tmp_path / "samples.jsonl"
    samples.chmod(0)
    done = tts(*task, f"hydra.run.dir={tmp_path / 'run'}", permitted=False)
    assert done.returncode == 2
    assert f"cannot read {samples}: Permission denied" in done.stdout + done.stderr
    samples.chmod(0o400)
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    done = tts(*task, f"hydra.run.dir={closed / 'run'}", permitted=False)
    assert done.returncode == 2
    assert f"{closed / 'run'}: Permission denied; choose another directory" in done.stderr
    assert tts(*task, f"hydra.run.dir={tmp_path / 'other'}", permitted=False).returncode == 0


def test_ids_of_any_length_and_paths_of_any_characters(tmp_path: Path) -> None:
    place = tmp_path / "naïve & 日本 a=b (1)!"
    place.mkdir()
    task = problems(place, "題" * 200)
    done = tts(*task, f"hydra.run.dir={place / 'run é&b'}")
    assert done.returncode == 0, done.stderr
    assert len(list((place / "run é&b" / "trees").iterdir())) == PROBLEMS
    values = f"{place / 'samples.jsonl'},{tmp_path / 'ü.jsonl'}"
    done = program.run("-m", "tts", *task, "-m", f"task.path={values}", f"hydra.sweep.dir={place}/s", folder=ROOT)
    assert done.returncode == 2
    assert f"there is no data file {tmp_path / 'ü.jsonl'}" in done.stdout + done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": 3}', "\0" * 64])
def test_a_status_that_does_not_read_begins_anew(tmp_path: Path, content: str) -> None:
    task, run = problems(tmp_path), tmp_path / "run"
    assert tts(*task, f"hydra.run.dir={run}").returncode == 0
    before = results(run)
    (run / "status.json").write_text(content)
    for _ in range(2):
        assert tts(*task, f"hydra.run.dir={run}", "resume=true").returncode == 0
        assert json.loads((run / "status.json").read_text())["state"] == "finished"
        assert results(run) == before


def test_cells_whose_status_or_summary_was_lost_go_on(tmp_path: Path) -> None:
    task, sweep = problems(tmp_path), tmp_path / "sweep"
    command = (*task, "-m", f"hydra.sweep.dir={sweep}", "seed=0,1", "search.n=1,2")
    assert tts(*command).returncode == 0
    cells = sorted(path.parent for path in sweep.glob("*/status.json"))
    before = [results(cell) for cell in cells]
    (cells[0] / "status.json").write_text("")
    (cells[1] / "summary.json").write_text("")
    (cells[2] / "status.json").write_text('{"state": "running"}')
    assert tts(*command).returncode == 0
    assert [results(cell) for cell in cells] == before
    assert [json.loads((cell / "summary.json").read_text())["resumed"] for cell in cells[:3]] == [PROBLEMS] * 3
    assert all(json.loads((cell / "status.json").read_text())["state"] == "finished" for cell in cells)
