"""Ctrl-C, SIGTERM and SIGHUP: the first ends a command in order, a second one at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAID: Final = b"\nending in order; the same again ends at once\n"


@contextmanager
def once() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt once while its body runs; after it the next ends the process at once.

    The interpreter would print a traceback for one that comes while it acts on the first. What is raised in a finaliser or
    the like reaches nobody: it ends the process at once, or is remembered (`Interruption.told`), and is not printed.
    """
    before, report = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def hear(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    def ignored(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            report(lost)
        elif signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # ours, and not an `Interruption`'s, which remembers it
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, hear)
    sys.unraisablehook = ignored
    try:
        yield
    except Exception as error:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            raise KeyboardInterrupt from error  # which a library has replaced
        raise
    finally:
        sys.unraisablehook = report
        if signal.getsignal(signal.SIGINT) is hear:
            signal.signal(signal.SIGINT, before)


class Interruption:
    """Ends a command that is told to.

    The first signal cancels the running job, which then sorts its records and writes its summary; outside of a job it
    raises KeyboardInterrupt. A second signal leaves everything as it is: what was recorded is in its file.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._end: Callable[[], object] = _raise
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
        """Hears signals while its body runs; those that the process ignores (`nohup`) stay ignored.

        After one that was heard the process is about to end, and the next ends it at once.
        """
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
                ended = self.told and handler is not signal.SIG_IGN
                signal.signal(number, signal.SIG_DFL if ended else handler)

    @contextmanager
    def unmasked(self) -> Iterator[None]:
        """Raises KeyboardInterrupt for what its body raises after a signal: libraries replace it by errors of theirs."""
        try:
            yield
        except Exception as error:
            if self.told:
                raise KeyboardInterrupt from error
            raise

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
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # the loop is running

        def cancel() -> None:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # it may be waiting for input

        with self.ending(cancel):
            return await job

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Has the first signal call `end`, from the handler, while its body runs."""
        before, self._end = self._end, end
        try:
            yield
        finally:
            self._end = before

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            with suppress(BaseException):
                self._last()
            # The interpreter's own end would wait for threads, and abort where one of them holds a lock.
            os._exit(self.status)
        self._signal = number
        with suppress(OSError):
            os.write(2, _SAID)
        self._end()


def _raise() -> None:
    raise KeyboardInterrupt
