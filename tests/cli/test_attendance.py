"""The tables of workers and model servers below the progress of a run."""

from __future__ import annotations

import io
import re

import pytest

from tts.cli.progress import ProgressBar
from tts.core.attendance import Attended, ServerAt, WorkerAt
from tts.core.events import emit
from tts.core.terminal import Terminal

_CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
LONG = "a-machine-with-a-name-that-is-longer-than-anybody-can-read:123456"


def told(workers: int, servers: int) -> Attended:
    return Attended(
        "",
        0.0,
        tuple(WorkerAt(f"{number}-{LONG}", number, 8, 1000 * number) for number in range(workers)),
        tuple(
            ServerAt("search.draft", f"http://10.0.0.{number}:20123/v1", number > 0, 2, 17, 1234, 0.956)
            for number in range(servers)
        ),
        waiting=2,
        lost=3,
        repeated=20,
        done=10,
        tokens={},
    )


def last_screen(attended: Attended) -> list[str]:
    written = io.StringIO()
    console = Terminal(file=written, force_terminal=True, width=80, height=40, color_system=None)
    with ProgressBar(console, 10):
        emit(lambda: attended)
    # What is drawn at the end is the last that is seen, before it is wiped out.
    return _CONTROL.sub("", written.getvalue()).replace("\r", "\n").splitlines()


def test_a_terminal_of_80_columns_shows_workers_and_servers() -> None:
    lines = last_screen(told(2, 2))
    assert all(len(line) <= 80 for line in lines)
    text = "\n".join(lines)
    for words in (
        ("worker", "busy", "of", "done"),
        ("1-a-machine-with-a-name-that-is-lon…", "1", "8", "1,000"),
        ("2 waiting, 3 workers lost, 20 begun again",),
        ("server", "busy", "queue", "prefix hits", "restarts"),
        ("search.draft 10.0.0.0:20123", "away", "1,234", "96 %", "2"),
        ("search.draft 10.0.0.1:20123", "17", "1,234", "96 %", "2"),
    ):
        assert any(all(word in line for word in words) for line in lines), (words, text)


def test_of_many_there_is_a_sum() -> None:
    text = "\n".join(last_screen(told(100, 30)))
    assert text.count("machine-with") == text.count("10.0.0.") == 8
    assert "92 others" in text
    assert "22 others" in text


@pytest.mark.parametrize("servers", [0, 1])
def test_no_terminal_gets_none(servers: int) -> None:
    written = io.StringIO()
    with ProgressBar(Terminal(file=written, width=80), 10, every=0):
        emit(lambda: told(2, servers))
    assert written.getvalue() == ""
