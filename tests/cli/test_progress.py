"""The progress of a run, in a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from tts.cli.progress import ProgressBar
from tts.core.events import Progressed, emit
from tts.core.terminal import Terminal


def shown(total: int | None, *, terminal: bool, every: float) -> str:
    written = io.StringIO()
    console = Terminal(file=written, force_terminal=terminal, width=120, color_system=None)
    with ProgressBar(console, total, every):
        for done in range(1, 4):
            emit(lambda done=done: Progressed(f"p{done}", 2.0, done, 0, 100 * done, "accuracy [b]0.5"))
    return written.getvalue()


def test_no_terminal_gets_a_line_now_and_then() -> None:
    assert shown(10, terminal=False, every=1e9) == ""
    lines = shown(10, terminal=False, every=0).splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("3 of 10 done  about 0:00:0")
    assert lines[-1].endswith("left  150 tokens/s  accuracy [b]0.5")
    assert shown(None, terminal=False, every=0).splitlines()[-1] == "3 done  150 tokens/s  accuracy [b]0.5"


@pytest.mark.parametrize("total", [10, None])
def test_a_terminal_gets_a_bar_with_the_time_that_is_left(total: int | None) -> None:
    written = shown(total, terminal=True, every=0)
    assert "left" in written
    assert "3/10" in written or "3/?" in written
