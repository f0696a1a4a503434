"""Programs that a test sends signals to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BEGUN = """\
import sys
from tts.cli import main

def run(given, run=main._run):
    print("begun", flush=True)
    return run(given)

main._run = run
sys.exit(main.main())
"""
"""The command, which says when it is more than an interpreter that starts: that prints tracebacks of its own."""


def heeded() -> None:
    """Has a new process heed Ctrl-C and hangups, which who runs the tests in the background may have had ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def begun(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command `tts ARGUMENTS` as it has just begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGUN, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeded,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def signalled(process: subprocess.Popen[str], number: signal.Signals, times: int, after: float) -> tuple[int, str]:
    """Sends a signal `times` times, `after` seconds from now on; returns the exit status and what stderr was told."""
    time.sleep(after)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.03)
    said = process.communicate(timeout=120)[1]
    return process.returncode, said
