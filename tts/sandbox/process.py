"""Another process's identity, CPU time and memory as the kernel reports them, independent of that process."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group
ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size)


def sender(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Returns the process that sent a message, as attached by the kernel; None if it is not attached.

    Args:
        ancillary: The data that `recvmsg` returned for a socket with `SO_PASSCRED`.
    """
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data)[0]) or None  # 0: no number in this namespace
    return None


def cpu_seconds(process: int) -> float:
    """Returns the CPU time that a process has used, in seconds; 0 if it is gone."""
    clock = ~process << 3 | 2  # MAKE_PROCESS_CPUCLOCK(process, CPUCLOCK_SCHED), see clock_getcpuclockid(3)
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def peak_memory(process: int) -> int:
    """Returns a process's peak resident memory in bytes; 0 if it is gone or hidden."""
    try:
        status = Path(f"/proc/{process}/status").read_bytes()
    except OSError:
        return 0
    for line in status.split(b"\n"):
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
