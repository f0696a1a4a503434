"""Executors without a jail, for the controls: each attack must be seen to succeed in one of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Protocol

from tests.attacks.box import Result

PROBE = "import fractions\nprint(2 + int(fractions.Fraction(1) + 1), len('ab'))"
PATIENCE = 0.5  # seconds beyond the limit after which a peer that has not answered counts as hung


class Executor(Protocol):
    """Runs pieces of code: a `Box`, or one without a jail."""

    forgery: bytes
    probe: str
    restarts: int

    def run(self, code: str) -> Result:
        """Runs a piece."""

    def recover(self, processes: set[int]) -> None:
        """Undoes what a successful attack has done to it.

        Args:
            processes: All processes that there are below this one, but for the host's.
        """

    def close(self) -> None:
        """Ends it."""


class Plain:
    """A fresh process for each piece, with this one's environment and descriptors."""

    forgery = b""
    probe = PROBE

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.restarts = 0

    def run(self, code: str) -> Result:
        """Runs a piece."""
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            close_fds=False,
        )
        why = None
        try:
            out, err = process.communicate(timeout=self._limit)
        except subprocess.TimeoutExpired:
            process.kill()
            why = "timeout"
            out, err = b"", b""
            process.wait()
        out_text, err_text = out.decode(errors="replace"), err.decode(errors="replace")
        return Result(out_text, err_text, why, process.returncode, time.monotonic() - started)

    def recover(self, processes: set[int]) -> None:
        """Ends the processes: none is its own."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for process in processes:
            with contextlib.suppress(ChildProcessError):  # an orphan's orphan, which comes later
                os.waitpid(process, 0)

    def close(self) -> None:
        """Does nothing."""


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError` in what takes longer; for the main thread."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Peer:
    """One warm process for all pieces, in the way of published GenPRM executors: `exec`, SIGALRM and pickled reports."""

    probe = PROBE

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.restarts = 0
        forged = pickle.dumps(Result(out="FORGED", rc=0))
        self.forgery = struct.pack("!i", len(forged)) + forged
        self._start()

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        assert isinstance(self._connection, Connection)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.peer_worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        theirs.close()
        self._connection.recv()

    def run(self, code: str) -> Result:
        """Runs a piece."""
        result = Result(why="hung")
        try:
            with _deadline(self._limit + PATIENCE):
                self._connection.send((code, self._limit))
                result = self._connection.recv()
        except TimeoutError:
            pass
        except (EOFError, ConnectionError):
            result = Result(why="lost")
        if not isinstance(result, Result):
            raise TypeError(f"the peer reported {result!r}")
        if result.why in ("hung", "lost"):
            self._end()
            self.restarts += 1
            self._start()
        return result

    def _end(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def recover(self, processes: set[int]) -> None:
        """Begins anew."""
        self._end()
        self._start()

    def close(self) -> None:
        """Ends the process."""
        self._end()
