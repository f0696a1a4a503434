"""The command in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.signals import heeded

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A server on a port of its own choosing."""

    def __init__(self, *arguments: str) -> None:
        code = "import sys; from tts.cli.main import main; sys.exit(main())"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "port=0", *arguments],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeded,
        )
        self.lines: list[str] = []
        self.port = 0
        self._listens = threading.Event()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self._listens.wait()
        assert self.port, "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"serving on http://127\.0\.0\.1:(\d+)/v1", line):
                self.port = int(found[1])
                self._listens.set()
        self._listens.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal, and returns the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        self._reading.join()
        return status
