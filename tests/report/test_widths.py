"""The report in terminals of several widths: names never go, and no number is cut."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from tts.report.fitting import Column, fitted

ROOT = Path(__file__).resolve().parents[2]


def seen(width: int, *arguments: object) -> list[str]:
    """The lines that a command shows in a terminal of some columns, without styles."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {
        "PYTHONPATH": str(ROOT), "TERM": "xterm",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    data = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        data += chunk
    assert process.wait() == 0, data.decode()
    os.close(controller)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode()).splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_columns_that_stay_are_continued_below_and_no_word_is_lost(width: int) -> None:
    words = [f"word{number}" for number in range(12)]
    columns = [Column(name, [" ".join(words)], names=True) for name in ("run", "control", "verdict")]
    console = Console(file=io.StringIO(), width=width)
    console.print(
        fitted(console, "", [*columns, Column("difference", ["+0.123456789"]), Column("x", ["1" * 30], goes=1)])
    )
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    shown = " ".join(lines)
    assert all(shown.count(f"{word} ") + shown.count(f"{word}\n") >= 3 for word in words[:-1])
    assert "+0.123456789" in shown


@pytest.mark.integration
@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_names_stay_at_every_width(grid: Path, tmp_path: Path, width: int) -> None:
    lines = seen(width, "tts.report", grid, "--out", tmp_path)
    text = "\n".join(lines)
    assert "…" not in text
    assert any(line.startswith("task: ") for line in lines)
    assert any(line.startswith("policy: ") for line in lines)
    assert any(line.startswith("verifier: ") for line in lines)
    begin = next(number for number, line in enumerate(lines) if re.match(r"#\s+run\s+accuracy", line))
    rows = lines[begin + 1 : begin + 7]
    assert sorted(int(row.split()[0]) for row in rows) == list(range(1, 7))
    assert all(re.search(r"[A-Za-z]{3}.* [01]\.\d{3}", row) for row in rows)
    tables = [line for line in lines if not line.startswith(str(tmp_path)) and "reading" not in line]
    assert max(len(line.rstrip()) for line in tables) <= width
    assert "no room for" in text or width >= 120
