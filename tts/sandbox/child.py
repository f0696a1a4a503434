"""The supervisor's side of one locked process, on an asyncio event loop."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Protocol

from tts.sandbox import process
from tts.sandbox.base import Execution
from tts.sandbox.zygote import messages
from tts.sandbox.zygote.child import MESSAGE_LIMIT
from tts.sandbox.zygote.messages import End

REPORT_LIMIT = 1 << 16  # bytes of one message from a child or a zygote
LATE = 1.0  # seconds after which a time limit counts as heard too late to tell anything


@dataclass(frozen=True)
class Settings:
    """Settings of zygotes and children; see `Jail`."""

    mode: str
    timeout: float
    memory: int
    output_limit: int

    @property
    def pipe_size(self) -> int:
        """Bytes of a pipe, a power of two: holds the output even if each of its pages is just over half full."""
        return max(65536, 1 << (2 * self.output_limit - 1).bit_length())


class LostError(Exception):
    """The zygote, and with it the child, is gone."""


class ClosedError(LostError):
    """The user of the child, or of the whole sandbox, has closed it."""


class Forker(Protocol):
    """The part of a zygote that a child uses."""

    def request(self, what: int, number: int, descriptors: list[int] | None = None) -> None:
        """Sends a request about the child `number`; raises `OSError` if the zygote does not accept it."""

    def kill(self, number: int) -> None:
        """Kills the child `number`."""

    def hear(self) -> None:
        """Handles everything that the zygote has reported."""


class Child:
    """One locked-down process: runs one piece and ends, or keeps its namespace for further pieces."""

    def __init__(self, zygote: Forker, number: int, settings: Settings) -> None:
        self._zygote = zygote
        self._settings = settings
        self._number = number
        self._done: asyncio.Future[bytes | None] | None = None
        self._ended: End | None = None
        self._lost: LostError | None = None
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None
        self._watched = False
        self._process: int | None = None  # known after its first message
        self._cpu_before = 0.0
        self._jobs, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._jobs.setblocking(False)
        self._jobs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._pipes: list[int] = []
        passed = [theirs.detach()]
        for _ in ("stdout", "stderr"):
            reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            with contextlib.suppress(OSError):  # beyond the user's limit of pipe pages; output is then cut earlier
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, settings.pipe_size)
            self._pipes.append(reader)
            passed.append(writer)
        try:
            zygote.request(messages.FORK, number, passed)
        finally:
            for descriptor in passed:
                os.close(descriptor)

    @property
    def alive(self) -> bool:
        """Whether it can run a piece."""
        return self._ended is None and self._lost is None and self._jobs.fileno() >= 0

    async def execute(self, code: str, keep: bool) -> Execution:
        """Runs a piece. Cancelling kills the child.

        Args:
            code: The piece.
            keep: Whether the child stays alive afterwards.

        Raises:
            LostError: The child is lost, and with it how the piece would have ended.
        """
        loop = asyncio.get_running_loop()
        started = time.monotonic()
        self._done = loop.create_future()
        if keep and not self._watched:
            self._watched = True
            loop.add_reader(self._jobs, self._reported)
        self._limit()
        try:
            self._send(code, keep)
            report = await self._done
        except (LostError, asyncio.CancelledError):
            self.discard()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._done = None
        execution = self._result(report, time.monotonic() - started)
        if not self.alive:
            self.discard()
        return execution

    def discard(self) -> None:
        """Kills the process and forgets it; a piece that still runs is lost. Doing so twice does nothing."""
        if self._jobs.fileno() < 0:
            return
        if self._ended is None and self._lost is None:
            self._zygote.kill(self._number)
        if self._done is not None and not self._done.done():
            self._done.set_exception(ClosedError("the code's process was closed"))
        self._unwatch()
        self._jobs.close()
        for reader in self._pipes:
            os.close(reader)

    def ended(self, end: End) -> None:
        """Handles the zygote's report that the process has ended."""
        self._ended = end
        self._unwatch()
        if self._done is None:
            self.discard()
        else:
            self._resolve(None)

    def lose(self, error: LostError) -> None:
        """Handles the loss of the zygote."""
        self._lost = error
        self._unwatch()
        if self._done is None:
            self.discard()
        elif not self._done.done():
            self._done.set_exception(error)

    def _send(self, code: str, keep: bool) -> None:
        if self._lost is not None:
            raise self._lost
        memory = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(code.encode("utf-8", "surrogatepass"))
            os.lseek(memory, 0, os.SEEK_SET)
            seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory]))]
            with contextlib.suppress(ConnectionError):  # it has died in the meantime; the zygote will report it
                self._jobs.sendmsg([b"keep" if keep else b"last"], rights)
        finally:
            os.close(memory)

    def _spent(self) -> tuple[float, int]:
        """Returns the process's CPU seconds and peak memory so far."""
        if self._ended is not None:
            return self._ended.cpu, self._ended.memory
        if self._process is None:
            return 0.0, 0
        return process.cpu_seconds(self._process), process.peak_memory(self._process)

    def _resolve(self, report: bytes | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(report)

    def _receive(self) -> bytes:
        try:
            report, ancillary, _, _ = self._jobs.recvmsg(REPORT_LIMIT, process.ANCILLARY)
        except OSError:
            return b""
        self._process = process.sender(ancillary)
        return report

    def _reported(self) -> None:
        report = self._receive()
        if report and self._done is not None and not self._done.done() and not self._expired:
            self._resolve(report)
            return
        # It closed its end, or sent an unexpected message: the code did it, and the process is ended.
        self._unwatch()
        self._zygote.kill(self._number)

    def _unwatch(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._jobs)
            self._watched = False

    def _limit(self) -> None:
        """Gives the piece its time, from now on."""
        timeout = self._settings.timeout
        self._timer = asyncio.get_running_loop().call_later(timeout, self._expire, time.monotonic() + timeout)

    def _expire(self, due: float) -> None:
        # Reports may be waiting behind this call, above all where this process itself was stopped (Ctrl-Z, a frozen
        # container): the piece then ended in time.
        self._zygote.hear()
        if self._watched and _readable(self._jobs):
            self._reported()
        if self._done is None or self._done.done():
            return
        if time.monotonic() - due > LATE:  # whoever stopped this process may have stopped the piece too
            self._limit()
            return
        self._expired = True
        self._zygote.kill(self._number)

    def _read(self, reader: int) -> tuple[str, bool]:
        try:
            data = os.read(reader, self._settings.pipe_size)
        except BlockingIOError:
            return "", False
        limit = self._settings.output_limit
        return data[:limit].decode("utf-8", "replace"), len(data) > limit

    def _result(self, report: bytes | None, wall: float) -> Execution:
        (stdout, stdout_cut), (stderr, stderr_cut) = map(self._read, self._pipes)
        error_type, message, lost = _understand(self._receive() if report is None else report)
        (cpu, memory), cpu_before = self._spent(), self._cpu_before
        self._cpu_before = cpu
        status = None if self._ended is None else self._ended.status
        out_of_cpu = status == -signal.SIGXCPU or (
            status == -signal.SIGKILL and cpu - cpu_before > self._settings.timeout
        )
        timed_out = self._expired or out_of_cpu
        return Execution(
            stdout=stdout,
            stderr=stderr,
            error_type=None if timed_out else error_type,
            error_message="" if timed_out else message,
            exit_status=status,
            timed_out=timed_out,
            truncated=stdout_cut or stderr_cut or lost,
            wall_s=wall,
            cpu_s=max(0.0, cpu - cpu_before),
            peak_memory=memory,
        )


def _text(value: object) -> str:
    """Returns a value from a report as text that can be encoded, cut."""
    return str(value)[:MESSAGE_LIMIT].encode("utf-8", "backslashreplace").decode()


def _understand(report: bytes) -> tuple[str | None, str, bool]:
    """Returns a child's error type, error message and whether output was lost: text from an untrusted process."""
    try:
        fields = json.loads(report)
        error_type = fields.get("type")
        name = None if error_type is None else _text(error_type)
        return name, _text(fields.get("message", "")), bool(fields["lost"])
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None, "", False


def _readable(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))
