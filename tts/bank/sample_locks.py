"""Claims on results in progress, so that no other coroutine or process computes them at the same time.

A claim is a lock on one byte of a file; each sample or other result has its own byte. The kernel releases it when the
process ends, even if killed, so there is nothing to clean up.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_PLACES = 2**62 - 1


class SampleLocks:
    """The claims of this process.

    A process may open only one per file: closing it releases all of the process's locks on the file.

    Args:
        path: The file, which stays empty.

    Raises:
        OSError: The file cannot be created, or its file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._held: set[int] = set()

    def take(self, key: bytes, seed: int = 0) -> bool:
        """Claims a result; returns False if it is already claimed, in this process or another."""
        place = _place(key, seed)
        if place in self._held:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # either means that another process holds it
            return False
        self._held.add(place)
        return True

    def release(self, key: bytes, seed: int = 0) -> None:
        """Releases a claim."""
        place = _place(key, seed)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
        self._held.discard(place)

    def close(self) -> None:
        """Releases all claims."""
        os.close(self._file)


def _place(key: bytes, seed: int) -> int:
    """Returns a result's byte; a request's samples are adjacent, so that the kernel stores them as one range."""
    return (int.from_bytes(key[:8], "big") + seed) & _PLACES
