"""Ctrl-C, SIGTERM and SIGHUP: the first ends a command in order, a second one at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAID: Final = b"\nending in order; the same again ends at once\n"


class Interruption:
    """Ends a command that is told to.

    The first signal cancels the running job, which then sorts its records and writes its summary; outside of a job it
    raises KeyboardInterrupt. A second signal leaves everything as it is: what was recorded is in its file.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._task: asyncio.Task[object] | None = None
        self._last: Callable[[], object] = lambda: None

    @property
    def told(self) -> bool:
        """Whether a signal came."""
        return self._signal is not None

    @property
    def status(self) -> int:
        """The exit status of a command that a signal ended, as shells give it."""
        return 128 + (signal.SIGINT if self._signal is None else self._signal)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hears signals while its body runs; those that the process ignores (`nohup`) stay ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._hear)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def leaving(self, last: Callable[[], object]) -> Iterator[None]:
        """Calls `last` if its body is interrupted, also if the process ends at once."""
        self._last = last
        try:
            yield
        except KeyboardInterrupt:
            last()
            raise
        finally:
            self._last = lambda: None

    async def cancelling(self, job: Awaitable[T]) -> T:
        """Awaits a job that the first signal cancels."""
        self._task = asyncio.current_task()
        try:
            return await job
        finally:
            self._task = None

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            with suppress(BaseException):
                self._last()
            # The interpreter's own end would wait for threads, and abort where one of them holds a lock.
            os._exit(self.status)
        self._signal = number
        with suppress(OSError):
            os.write(2, _SAID)
        if self._task is None:
            raise KeyboardInterrupt
        self._task.cancel()
        # The loop may be waiting for input.
        self._task.get_loop().call_soon_threadsafe(lambda: None)
