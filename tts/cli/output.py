"""Standard output and error that outlast whoever reads them: a closed pipe, a full disk, a terminal that hung up."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_GONE: Final = (errno.EPIPE, errno.EIO, errno.EBADF)
"""Nobody reads any more: a closed pipe, a terminal that hung up, a descriptor that was closed."""


class Outlet(io.RawIOBase):
    """Writes to a descriptor; after an error, such as of a closed pipe or a full disk, everything further is dropped.

    What a run computes is worth more than what it prints.

    Args:
        descriptor: The descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.error: OSError | None = None
        """Why output was dropped."""

    def writable(self) -> bool:
        """Returns True."""
        return True

    def fileno(self) -> int:
        """Returns the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal's."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer) -> int:
        """Writes some of `data`, or drops all of it."""
        while self.error is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # whoever shares the descriptor set it so
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
        return len(memoryview(data).cast("B"))


@contextmanager
def lasting_output() -> Iterator[list[str]]:
    """Lets nothing that is printed inside fail.

    Yields:
        A list that receives, at the end, the message about output that was lost, unless nobody was there to read it.
    """
    for descriptor in range(3):  # a file that is opened must not become standard output
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    lost: list[str] = []
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:  # a program's own, such as a notebook's
        yield lost
        return
    before = sys.stdout, sys.stderr
    outlets = Outlet(1), Outlet(2)
    sys.stdout, sys.stderr = streams = [_text(outlet, file) for outlet, file in zip(outlets, before, strict=True)]
    try:
        yield lost
    finally:
        for stream in streams:
            stream.flush()
        error = outlets[0].error
        if error is not None and error.errno not in _GONE:
            lost.append(
                f"standard output: {error.strerror}: not everything could be printed; the run's files are complete"
            )
        sys.stdout, sys.stderr = before


def _text(outlet: Outlet, like: TextIO | None) -> io.TextIOWrapper:
    encoding = getattr(like, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(outlet), encoding, "backslashreplace", line_buffering=True)
