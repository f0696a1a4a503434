"""Waiting for asynchronous work in a synchronous call, also inside a running event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import copy_context
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def blocking(call: Callable[[], Awaitable[T]], loop_factory: LoopFactory | None = None) -> T:
    """Awaits a call in a new event loop, in another thread if this one has a running loop.

    It runs in the caller's context, so listeners here receive the call's events. An interruption (SIGINT) cancels the
    call and is raised after everything is freed.

    Args:
        call: Starts the work.
        loop_factory: Creates the event loop; None for asyncio's default.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(call, loop_factory)
    result: Future[T] = Future()
    begun: Future[Callable[[], object]] = Future()

    async def awaited() -> T:
        task = asyncio.current_task()
        assert task is not None  # the loop is running
        loop = asyncio.get_running_loop()
        begun.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        return await call()

    def work() -> None:
        try:
            result.set_result(_run(awaited, loop_factory))
        except BaseException as error:
            result.set_exception(error)

    def cancel(begun: Future[Callable[[], object]]) -> None:
        with suppress(RuntimeError):  # the loop has just ended
            begun.result()()

    thread = threading.Thread(target=copy_context().run, args=(work,), name="tts-blocking")
    with _on_interruption(lambda: begun.add_done_callback(cancel)):
        thread.start()
        try:
            return result.result()
        finally:
            thread.join()


def _run(call: Callable[[], Awaitable[T]], loop_factory: LoopFactory | None) -> T:
    async def awaited() -> T:
        return await call()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(awaited())


@contextmanager
def _on_interruption(act: Callable[[], object]) -> Iterator[None]:
    """Acts on SIGINT before its previous handler.

    asyncio's own handler only cancels its main task, which does not notice while it waits here.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def heed(number: int, frame: FrameType | None) -> None:
        act()
        before(number, frame)

    signal.signal(signal.SIGINT, heed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
