"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

`asyncio.Runner(loop_factory=VirtualLoop)` runs any program whose delays are the loop's timers (`asyncio.sleep`,
`call_later`, `asyncio.timeout`) in only the real time of its computations, with `loop.time()` giving the virtual
seconds since the loop was created. A deterministic program gives the same times to the last bit on any machine.

Work outside the loop (a process, a thread) takes real time that the clock does not see. It must be done inside `async
with real_work():`, which stops the clock until the work is done: it takes no virtual time.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from typing import NoReturn, TypeVar, TypeVarTuple

from tts.core.errors import UserError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class DeadlockError(RuntimeError):
    """All tasks wait, and nothing can wake them."""


class _Hold:
    """Real work that the clock waits for; `release` is called when it is over and its turn has come."""

    def __init__(self) -> None:
        self.release: Callable[[], None] | None = None
        self.active = True


_held: ContextVar[_Hold | None] = ContextVar("held", default=None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0.

    Timers set inside `real_work` are real. Tasks waiting for finished real work resume only when nothing else is ready,
    in the order in which the work was begun, so its durations make no difference.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._holds: deque[_Hold] = deque()
        self._real_timers: list[asyncio.TimerHandle] = []
        super().__init__(_Selector(self))
        self._set(0.0)

    def time(self) -> float:
        """Returns the virtual seconds since the loop was created."""
        return self._now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Sets a timer, a real one inside `real_work`."""
        if _held.get() is None:
            return super().call_at(when, callback, *args, context=context)
        timer = asyncio.TimerHandle(time.monotonic() + when - self._now, callback, args, self, context)
        heapq.heappush(self._real_timers, timer)
        return timer

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Runs a function in a thread, which is real work."""
        work = super().run_in_executor(executor, func, *args)
        if _inside():
            return work
        hold = self.hold()
        result: asyncio.Future[T] = self.create_future()
        work.add_done_callback(lambda _: self.finish(hold, lambda: _hand_over(work, result)))
        result.add_done_callback(lambda _: work.cancel())
        return result

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """Waits for the executor's threads."""
        async with real_work():
            await super().shutdown_default_executor(*timeout)

    async def create_connection(self, *args: object, **kwargs: object) -> NoReturn:
        """Raises UserError: a server runs in real time."""
        raise UserError(
            "a server cannot be used in virtual time: its responses take real time; set clock=real, or use simulated engines"
        )

    def hold(self) -> _Hold:
        """Stops the clock until the hold is finished and released."""
        hold = _Hold()
        self._holds.append(hold)
        return hold

    def finish(self, hold: _Hold, release: Callable[[], None]) -> None:
        """Reports that a hold's work is over; `release` is called when its turn has come."""
        hold.release = release

    def pass_time(self, timeout: float | None) -> float | None:
        """Called when nothing is ready: makes something ready if possible.

        Args:
            timeout: Virtual seconds to the next timer, None if there is none.

        Returns:
            Real seconds to wait for real work, 0 if something is ready now, None for no bound.

        Raises:
            DeadlockError: Nothing can happen any more.
        """
        if self._holds and self._holds[0].release is not None:
            hold = self._holds.popleft()
            hold.active = False
            assert hold.release is not None
            hold.release()
            return 0.0
        while self._real_timers and (
            self._real_timers[0].cancelled() or self._real_timers[0].when() <= time.monotonic()
        ):
            timer = heapq.heappop(self._real_timers)
            if not timer.cancelled():
                self.call_soon(timer._run)
                return 0.0
        if self._holds or (timeout is None and self._real_timers):
            return max(0.0, self._real_timers[0].when() - time.monotonic()) if self._real_timers else None
        if timeout is None:
            raise DeadlockError(
                "every task waits and no timer is set, so nothing can ever happen: the tasks wait for each other, or "
                "for work outside the event loop that is not inside `async with real_work()`"
            )
        self._set(self._scheduled[0].when())  # type: ignore[attr-defined]
        return 0.0

    def _set(self, now: float) -> None:
        self._now = now
        # asyncio runs timers that are less than this far ahead: only those of this instant, however late it is.
        self._clock_resolution = math.ulp(now)


class _Selector(selectors.DefaultSelector):
    """Polls real events; instead of waiting, lets virtual time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Returns the events of files; never waits for a timer."""
        events = super().select(0)
        if events or timeout == 0:
            return events
        return super().select(self._loop.pass_time(timeout))


@asynccontextmanager
async def real_work() -> AsyncIterator[None]:
    """Stops virtual time for work outside the event loop; does nothing on an ordinary loop.

    Code inside must not wait for anything that takes virtual time, such as a simulated engine.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop) or _inside():
        yield
        return
    hold = loop.hold()
    token = _held.set(hold)
    try:
        yield
    finally:
        _held.reset(token)
        turn = loop.create_future()
        loop.finish(hold, lambda: None if turn.done() else turn.set_result(None))
        await turn


def _inside() -> bool:
    """Whether the clock is already stopped for the running task's work."""
    hold = _held.get()
    return hold is not None and hold.active


def _hand_over(work: asyncio.Future[T], result: asyncio.Future[T]) -> None:
    if result.done():
        return
    if work.cancelled():
        result.cancel()
    elif (error := work.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(work.result())
