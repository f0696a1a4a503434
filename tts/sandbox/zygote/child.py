"""The process in which pieces of code run: it locks itself down, then takes one piece after another from its socket.

It can only lie about itself: it reports the text of an error and whether output was lost.
"""

from __future__ import annotations

import array
import contextlib
import gc
import io
import json
import os
import resource
import signal
import socket
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from . import kernel, seccomp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

JOBS = 3  # the descriptor of the socket that brings the code
MESSAGE_LIMIT = 4096  # characters of an error's message that are reported
NOTHING_WRONG = b'{"lost": false}'  # the report of a piece that ended normally
CHAIN_CPU = 20  # times the limit of one piece: the CPU time after which a living chain is ended


@dataclass(frozen=True)
class Limits:
    """The limits of a child.

    Attributes:
        timeout: Seconds of CPU time for one piece; the supervisor keeps the wall-clock limit.
        address_space: Bytes of virtual memory.
    """

    timeout: float
    address_space: int


class Output(io.RawIOBase):
    """Writes to a pipe that nobody reads before the piece has ended; output that does not fit is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.lost = False

    def writable(self) -> bool:
        """Returns True."""
        return True

    def fileno(self) -> int:
        """Returns the pipe's descriptor."""
        return self._descriptor

    def write(self, data: ReadableBuffer) -> int:
        """Writes as much of `data` as fits, and reports all of it as written."""
        view = memoryview(data).cast("B")
        size, sent = len(view), 0
        try:
            while sent < size:
                sent += os.write(self._descriptor, view[sent:])
        except BlockingIOError:
            self.lost = True
        return size


class Streams:
    """Standard output and error of one piece, line-buffered, so that text printed before a kill is kept."""

    def __init__(self) -> None:
        self.outputs = Output(1), Output(2)
        self.texts = [self._text(output) for output in self.outputs]

    @staticmethod
    def _text(output: Output) -> io.TextIOWrapper:
        return io.TextIOWrapper(output, "utf-8", "backslashreplace", line_buffering=True)  # type: ignore[arg-type]


def _set(limit: int, soft: int, hard: int) -> None:
    with contextlib.suppress(ValueError):  # the user's own hard limit is lower, which is fine
        resource.setrlimit(limit, (soft, hard))


class Kit:
    """Objects that every child needs, created once in the zygote: pages that a child writes to must be copied.

    Args:
        limits: The children's limits.
        calls: The system calls that they may use.
    """

    def __init__(self, limits: Limits, calls: seccomp.Filter) -> None:
        self.limits = limits
        self.calls = calls
        self.die_with_zygote = kernel.Prctl("prctl(PR_SET_PDEATHSIG)", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        self.jobs = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, JOBS
        )  # only the number; a child has the socket
        self.room = socket.CMSG_SPACE(4)
        self.streams = Streams()
        self.namespace = types.ModuleType("__main__")


def prepare(limits: Limits) -> None:
    """Sets the limits that the zygote shares, and clears its command line."""
    for limit, value in {
        resource.RLIMIT_AS: limits.address_space,
        resource.RLIMIT_STACK: 8 << 20,
        resource.RLIMIT_NOFILE: 16,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        _set(limit, value, value)
    sys.argv = [""]


def _receive(kit: Kit) -> tuple[bool, bytes]:
    """Returns the next piece and whether this process stays alive after it; ends the process if there is none."""
    header, ancillary, _, _ = kit.jobs.recvmsg(64, kit.room)
    if not header:
        os._exit(0)
    [code] = array.array("i", ancillary[0][2])
    source = os.pread(code, os.lseek(code, 0, os.SEEK_END), 0)
    os.close(code)
    return header == b"keep", source


def _execute(source: bytes, namespace: dict[str, object]) -> tuple[dict[str, str], int]:
    """Runs one piece as `exec(code, namespace)` does.

    Returns:
        The error to report, empty if there was none, and the exit status that Python would give it.
    """
    try:
        code = source.decode("utf-8", "surrogatepass")
        exec(compile(code, "<string>", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        status = 1
        if isinstance(error, SystemExit):
            status = 0 if error.code is None else error.code & 255 if isinstance(error.code, int) else 1
        message = ""
        with contextlib.suppress(BaseException):
            message = str(error)[:MESSAGE_LIMIT]
        return {"type": type(error).__name__[:MESSAGE_LIMIT], "message": message}, status
    return {}, 0


def _run_piece(source: bytes, namespace: dict[str, object], streams: Streams) -> tuple[bytes, int]:
    sys.stdout, sys.stderr = streams.texts
    error, status = _execute(source, namespace)
    for stream in (sys.stdout, sys.stderr, *streams.texts):  # the code may have replaced them
        with contextlib.suppress(BaseException):
            stream.flush()
    lost = any(output.lost for output in streams.outputs)
    if not error and not lost:
        return NOTHING_WRONG, status
    return json.dumps(error | {"lost": lost}, ensure_ascii=False).encode("utf-8", "backslashreplace"), status


def _close_input() -> None:
    """Gives this process an input of its own, which has ended: flags and position of the zygote's are shared."""
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    os.close(reader)
    os.close(writer)


def _allow_cpu(seconds: float) -> None:
    """Sets the soft limit to the used time plus `seconds`: a fallback for the supervisor's clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = int(seconds * CHAIN_CPU) + 1
    _set(resource.RLIMIT_CPU, min(int(used.ru_utime + used.ru_stime + seconds) + 2, hard), hard)


def _serve(kit: Kit) -> NoReturn:
    namespace, streams, keep = kit.namespace.__dict__, kit.streams, True
    sys.modules["__main__"] = kit.namespace
    while keep:
        keep, source = _receive(kit)
        _allow_cpu(kit.limits.timeout)
        report, status = _run_piece(source, namespace, streams)
        with contextlib.suppress(OSError):  # the code may have closed the socket
            os.write(JOBS, report)
        streams = Streams() if keep else streams
    os._exit(status)


def main(jobs: int, stdout: int, stderr: int, kit: Kit) -> NoReturn:
    """Becomes a child: it is fully locked down before it reads the first byte of code.

    Args:
        jobs: Descriptor of the socket for code and reports.
        stdout: Descriptor of a non-blocking pipe.
        stderr: Descriptor of another.
        kit: The objects that the zygote prepared.
    """
    try:
        kit.die_with_zygote()
        signal.set_wakeup_fd(-1)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        if jobs != JOBS:
            os.dup2(jobs, JOBS)
        _close_input()
        os.closerange(JOBS + 1, 1024)
        _set(resource.RLIMIT_NPROC, 0, 0)
        kit.calls.install()
        gc.enable()
        _serve(kit)
    finally:
        os._exit(250)
