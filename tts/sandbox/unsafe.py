"""Runs model-written code in plain processes: for machines that cannot be locked down, at the user's own risk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tts.core.settings import Mebibytes, PositiveInt, Processes, Seconds, settings
from tts.sandbox.base import Chain, Execution, IdentifiedSandbox
from tts.sandbox.software import versions

_RUNNER = Path(__file__).with_name("unsafe_runner.py")
_ENVIRONMENT = {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
_WARNING = (
    "sandbox=unsafe: model-written code runs WITHOUT ISOLATION, with the rights of this user: it can read every file, "
    "send it over the network, and run any program; use it only on a disposable machine"
)


@settings
class Unsafe(IdentifiedSandbox):
    """Starts a process for each piece of code, with limits on time, memory, files written and output; nothing else."""

    def __init__(
        self,
        workers: Processes | None = None,
        timeout: Seconds = 5.0,
        memory_mb: Mebibytes = 2048,
        output_limit: PositiveInt = 65536,
    ) -> None:
        """Starts nothing yet.

        Args:
            workers: Pieces that run at a time. None: one a core.
            timeout: Wall-clock seconds of one piece; imports count.
            memory_mb: MiB of virtual memory of a process, loaded packages included.
            output_limit: Bytes kept of each of stdout and stderr.
        """
        self._workers = os.cpu_count() or 1 if workers is None else workers
        self._timeout = timeout
        self._memory = memory_mb << 20
        self._output_limit = output_limit
        self._slots = asyncio.Semaphore(self._workers)

    @property
    def executes(self) -> bool:
        """True: code is run."""
        return True

    @property
    def layers(self) -> tuple[str, ...]:
        """Records that there is no protection."""
        return ("unsafe",)

    async def start(self) -> None:
        """Warns."""
        logging.getLogger(__name__).warning(_WARNING)

    async def probe(self) -> None:
        """Warns."""
        await self.start()

    def identity(self) -> Mapping[str, object]:
        """Returns the limits of a piece and the installed packages, not the rest of the machine."""
        limits = {"timeout": self._timeout, "memory": self._memory, "output_limit": self._output_limit}
        return {"sandbox": "unsafe", **limits, **versions()}

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a new process. Cancelling kills it."""
        return await self.run_last([code])

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain; each of its pieces runs after a replay of the pieces that ended before it."""
        return UnsafeChain(self, history)

    async def close(self) -> None:
        """Does nothing: no process outlives its piece."""

    async def run_last(self, pieces: list[str]) -> Execution:
        """Runs the pieces in one namespace and returns the outcome of the last one.

        Args:
            pieces: At least one; the time limit holds for each.
        """
        async with self._slots:
            report_reader, report_writer = os.pipe()
            try:
                return await self._execute(pieces, report_reader, report_writer)
            finally:
                os.close(report_reader)

    async def _execute(self, pieces: list[str], report_reader: int, report_writer: int) -> Execution:
        limit = self._timeout * len(pieces)
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-s", "-P", "-B", str(_RUNNER), str(report_writer)],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_ENVIRONMENT,
                pass_fds=[report_writer],
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(report_writer)
        assert process.stdin is not None
        process.stdin.write(json.dumps([self._memory, int(limit) + 1, pieces]).encode())
        process.stdin.close()
        readers = [asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)]
        timed_out = False
        try:
            await asyncio.wait_for(process.wait(), limit)
        except TimeoutError:
            timed_out = not _ended(process.pid)  # as it may have, where this process itself was stopped
        finally:
            with contextlib.suppress(ProcessLookupError):  # including its own child processes
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        (stdout, stdout_cut), (stderr, stderr_cut) = await asyncio.gather(*readers)
        timed_out = timed_out or process.returncode == -signal.SIGXCPU
        outcome = {} if timed_out else self._outcome(report_reader)
        return Execution(
            stdout=stdout,
            stderr=stderr,
            error_type=outcome.get("type"),
            error_message=outcome.get("message", ""),
            exit_status=process.returncode,
            timed_out=timed_out,
            truncated=stdout_cut or stderr_cut,
            wall_s=time.monotonic() - started,
        )

    async def _read(self, stream: asyncio.StreamReader | None) -> tuple[str, bool]:
        assert stream is not None
        kept = bytearray()
        cut = False
        while chunk := await stream.read(65536):
            room = self._output_limit - len(kept)
            kept += chunk[:room]
            cut = cut or len(chunk) > room
        return kept.decode("utf-8", "replace"), cut

    @staticmethod
    def _outcome(report_reader: int) -> dict[str, str]:
        os.set_blocking(report_reader, False)
        try:
            fields = json.loads(os.read(report_reader, 65536))
            return {str(key): str(value) for key, value in fields.items()}
        except (BlockingIOError, ValueError, AttributeError):
            return {}


def _ended(process: int) -> bool:
    """Whether a child process has ended, whoever has been told so far."""
    try:
        return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


class UnsafeChain(Chain):
    """A chain of `Unsafe`."""

    def __init__(self, sandbox: Unsafe, history: tuple[str, ...]) -> None:
        self._sandbox = sandbox
        self._history = list(history)
        self._turn = asyncio.Lock()

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace."""
        return tuple(self._history)

    async def run(self, code: str) -> Execution:
        """Runs `code` after a replay of the pieces that ended."""
        async with self._turn:
            execution = await self._sandbox.run_last([*self._history, code])
            if not execution.timed_out and execution.exit_status in (0, 1):
                self._history.append(code)
            return execution

    async def close(self) -> None:
        """Does nothing: no process outlives its piece."""
