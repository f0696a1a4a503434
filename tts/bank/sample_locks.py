"""Who computes what: a result that is being computed is not computed a second time meanwhile, nor by another process.

A claim is a lock on one byte of a file, a byte for every sample and for every result of another kind. The kernel gives it
back when its process ends, however that ends: a killed run leaves nothing to clear away.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_PLACES = 2**62 - 1


class SampleLocks:
    """The claims of this process.

    Only one may be open for a file in a process: closing it gives all of the process's locks on the file back.

    Args:
        path: The file, which stays empty.

    Raises:
        OSError: The file cannot be made, or its file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._held: set[int] = set()

    def take(self, key: bytes, seed: int = 0) -> bool:
        """Claims a result; False where it is claimed already, in this process or in another."""
        place = _place(key, seed)
        if place in self._held:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # either means that another holds it
            return False
        self._held.add(place)
        return True

    def release(self, key: bytes, seed: int = 0) -> None:
        """Gives a claim back."""
        place = _place(key, seed)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
        self._held.discard(place)

    def close(self) -> None:
        """Gives all claims back."""
        os.close(self._file)


def _place(key: bytes, seed: int) -> int:
    """Returns a result's byte; a request's samples lie side by side, so that the kernel keeps them as one range."""
    return (int.from_bytes(key[:8], "big") + seed) & _PLACES
