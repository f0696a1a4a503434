"""What reaches a terminal, a pipe that nobody reads, and a disk that is full."""

from __future__ import annotations

import csv
import errno
import io
import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tests import program
from tts.cli.failures import print_error
from tts.core.plain import PlainFormatter, plain
from tts.core.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1m\u202egnp.exe\r\x08"
TTS = (sys.executable, "-c", "import sys; from tts.cli.main import main; sys.exit(main())")
texts = st.text(st.one_of(st.characters(), st.sampled_from(EVIL)))


def free(text: str) -> bool:
    """Whether a text has no control characters but line feeds and tabs."""
    return not any(
        character in text for character in [*map(chr, range(9)), *map(chr, range(11, 32)), *EVIL[:1], "\x7f"]
    )


@given(texts)
def test_a_console_writes_no_control_characters_of_texts(text: str) -> None:
    written = io.StringIO()
    console = Terminal(file=written, width=40, color_system=None)
    table = Table("column")
    table.add_row(Text(text))
    for shown in (Text(text), table):
        console.print(shown)
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    print_error(console, text)
    assert free(written.getvalue())
    record = logging.LogRecord("name", logging.WARNING, "file", 1, text.replace("%", ""), (), None)
    assert free(PlainFormatter().format(record))
    assert plain(plain(text)) == plain(text)


def test_its_own_styles_reach_the_terminal() -> None:
    written = io.StringIO()
    Terminal(file=written, force_terminal=True, color_system="standard").print(Text("\x1b[31m!", "bold"))
    assert "\x1b[1m\\x1b[31m!" in written.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run whose texts, ids and errors want to control the terminal."""
    rows = [
        {
            "id": f"{EVIL}{number}",
            "question": EVIL,
            "answer": "2",
            "solutions": [{"text": f"{EVIL}\n\n\\boxed{{2}}"}] * 2,
        }
        for number in range(2)
    ]
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scores = tmp_path / "scores.jsonl"
    scores.write_text(
        "".join(json.dumps({"id": row["id"], "index": i, "scores": [0.5]}) + "\n" for row in rows[:1] for i in (0, 1))
    )
    folder = tmp_path / "runs" / f"=cmd|' {EVIL[:4]}"
    done = program.run(
        "-m", "tts", "task=jsonl", f"task.path={samples}", "policy=recorded", f"policy.path={samples}", "verifier=recorded",
        f"verifier.path={scores}", "search.n=2", "sandbox=none", "hydra.run.dir=run", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1  # one problem has no scores
    assert free(done.stdout + done.stderr)
    assert "\\x1b[2J" in done.stdout
    folder.parent.mkdir()
    (tmp_path / "run").rename(folder)
    return folder


@pytest.mark.integration
def test_commands_show_what_they_find_as_text(run: Path) -> None:
    for arguments in (("tts.trace", run, f"{EVIL}0"), ("tts.trace", run), ("tts.report", run.parent)):
        done = program.run("-m", *map(str, arguments), folder=run.parent)
        assert done.returncode == 0, done.stderr
        assert free(done.stdout + done.stderr)
    assert free((run / "tts.log").read_text())
    with (run.parent / "report.csv").open(encoding="utf-8", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    assert any(cell.startswith("'=cmd") for cell in cells)
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in cells)


def started(*arguments: str, stdout: int, folder: Path) -> tuple[int, str]:
    """Starts a command with a standard output of the caller's; returns its exit status and standard error."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [*TTS, *arguments]
    done = subprocess.run(line, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


SMALL = (
    "search",
    "task.limit=2",
    "policy=simulated",
    "engine@policy.engine=simulated",
    "search=majority",
    "clock=virtual",
    "sandbox=none",
)


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help"), ("search", "--cfg", "job"), SMALL])
def test_a_pipe_that_is_closed_is_quiet(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert started(*arguments, stdout=writer, folder=tmp_path) == (0, "")
    os.close(writer)


@pytest.mark.integration
def test_a_full_disk_behind_standard_output_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        status, said = started(*SMALL, "hydra.run.dir=run", stdout=full.fileno(), folder=tmp_path)
    assert status == 1
    assert said.startswith(f"error: standard output: {os.strerror(errno.ENOSPC)}: not everything could be printed")
    assert said.count("\n") == 1
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "finished"


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help"), ("bank", "--help"), ("report", "--help")])
def test_help_that_cannot_be_printed_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        status, said = started(*arguments, stdout=full.fileno(), folder=tmp_path)
    assert status == 1
    assert said.startswith("error: standard output: ")
    assert said.count("\n") == 1


@pytest.mark.integration
def test_a_terminal_that_hangs_up_does_not_stop_what_it_is_not_told_to_stop(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    os.close(controller)
    assert started(*SMALL, "hydra.run.dir=run", stdout=terminal, folder=tmp_path) == (0, "")
    os.close(terminal)
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "finished"


@pytest.mark.integration
def test_closed_standard_streams_are_no_files_of_the_run(tmp_path: Path) -> None:
    command = ["sh", "-c", f'exec "$@" {" ".join(SMALL)} hydra.run.dir=run <&- >&- 2>&-', "sh", *TTS]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    assert subprocess.run(command, cwd=tmp_path, env=environment).returncode == 0
    assert all(json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LC_ALL": "C"}, None),
        ({"PYTHONIOENCODING": "latin-1"}, None),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "LC_ALL=C.UTF-8"),
    ],
)
def test_paths_in_other_locales(tmp_path: Path, environment: dict[str, str], says: str | None) -> None:
    everything = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    line = [*TTS, *SMALL, "hydra.run.dir=lauf ü 日本"]
    done = subprocess.run(line, cwd=tmp_path, env=everything, capture_output=True)
    if says is None:
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "lauf ü 日本" / "summary.json").exists()
    else:
        assert done.returncode == 2
        assert says.encode() in done.stderr


@pytest.mark.integration
def test_names_that_are_no_text_are_one_message(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [*TTS, *SMALL, b"hydra.run.dir=\xff"]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"error: b'hydra.run.dir=\\xff': not UTF-8; give the file or directory another name\n"


@pytest.mark.integration
def test_a_working_directory_that_is_gone_is_one_message(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = ["sh", "-c", f'mkdir gone && cd gone && rmdir ../gone && exec "$@" {" ".join(SMALL)}', "sh", *TTS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the working directory is gone")
    assert done.stderr.count("\n") == 1
