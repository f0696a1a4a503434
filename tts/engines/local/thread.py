"""The thread that a model runs in; requests and results pass between it and the callers' event loops."""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from tts.core.errors import EngineError, UserError

Asked = TypeVar("Asked")
Given = TypeVar("Given")


@dataclass(eq=False)
class Job(Generic[Asked, Given]):
    """One request, and the event loop that waits for its results.

    Attributes:
        request: The request.
        loop: The event loop.
        results: The queue that receives the results.
        cancelled: Whether nobody waits for further results.
    """

    request: Asked
    loop: asyncio.AbstractEventLoop
    results: asyncio.Queue[Given | Exception] = field(default_factory=asyncio.Queue)
    cancelled: bool = False


class EngineThread(ABC, Generic[Asked, Given]):
    """A thread that answers requests from any number of event loops.

    Jobs submitted in one iteration of an event loop are handed over together, and results are sent back together
    (`_put`, `_send`).

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._arriving: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Job[Asked, Given]]] = WeakKeyDictionary()
        self._outgoing: defaultdict[asyncio.AbstractEventLoop, list[tuple[Job[Asked, Given], Given | Exception]]]
        self._outgoing = defaultdict(list)
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        """Starts the thread."""
        self._thread.start()
        # A thread that is still in torch when the interpreter exits would abort the process.
        atexit.register(self.end)

    async def ready(self) -> None:
        """Returns when requests can be answered.

        Raises:
            UserError: They cannot be; says why.
        """

    async def results(self, request: Asked, count: int) -> AsyncGenerator[Given, None]:
        """Yields the results of a request, each as it finishes. Closing the iterator cancels the unfinished ones.

        Args:
            request: The request.
            count: How many results it has.

        Raises:
            EngineError: The request failed, or the thread was closed.
        """
        job = Job[Asked, Given](request, asyncio.get_running_loop())
        self._submit(job)
        try:
            for _ in range(count):
                result = await job.results.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            job.cancelled = True
            self._cancel(job)

    def close(self) -> None:
        """Ends the thread; pending requests fail with an EngineError. Blocks until it has ended."""
        self.end()
        atexit.unregister(self.end)

    def end(self, patience: float | None = None) -> None:
        """Ends the thread, waiting at most `patience` seconds for it."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._take(None)
        self._thread.join(patience)

    def _submit(self, job: Job[Asked, Given]) -> None:
        if self._closed:
            raise closed()
        jobs = self._arriving.setdefault(job.loop, [])
        jobs.append(job)
        if len(jobs) == 1:
            job.loop.call_soon(self._hand_over, job.loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._arriving.pop(loop, [])
        with self._lock:
            if not self._closed:
                self._take(jobs)
                return
        _deliver([(job, closed()) for job in jobs])

    @abstractmethod
    def _take(self, jobs: list[Job[Asked, Given]] | None) -> None:
        """Hands jobs over to the thread; None tells it to end. Called by the event loops' threads, one at a time."""

    def _cancel(self, job: Job[Asked, Given]) -> None:
        """Tells the thread that a job was cancelled, for subclasses that do not check this themselves."""

    # The methods above run on the event loops' threads, those below on this one.

    @abstractmethod
    def _run(self) -> None:
        """Answers jobs until it is told to end; then fails the remaining ones."""

    def _put(self, job: Job[Asked, Given], result: Given | Exception) -> None:
        """Adds a result to the next batch sent; a failed job receives only its first error."""
        if not job.cancelled:
            self._outgoing[job.loop].append((job, result))
            job.cancelled = isinstance(result, Exception)

    def _send(self) -> None:
        """Sends all results that were put, waking each event loop once."""
        for loop, results in self._outgoing.items():
            # Nobody waits on a loop that has been closed in the meantime.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_deliver, results)
        self._outgoing = defaultdict(list)


class QueueThread(EngineThread[Asked, Given]):
    """A thread that polls for jobs when it is ready for them."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._inbox: queue.SimpleQueue[list[Job[Asked, Given]] | None] = queue.SimpleQueue()

    def _take(self, jobs: list[Job[Asked, Given]] | None) -> None:
        self._inbox.put(jobs)

    def _arrived(self, wait: bool) -> tuple[list[Job[Asked, Given]], bool]:
        """Returns the jobs that have arrived and were not cancelled, and whether further ones may arrive.

        Args:
            wait: Whether to wait for a job if there is none.
        """
        jobs: list[Job[Asked, Given]] = []
        while (wait and not jobs) or not self._inbox.empty():
            arrived = self._inbox.get()
            if arrived is None:
                return jobs, False
            jobs += [job for job in arrived if not job.cancelled]
        return jobs, True


def closed() -> EngineError:
    """Returns the error for requests to an engine that was closed."""
    return EngineError("the engine was closed")


def failure(error: Exception) -> Exception:
    """Returns the error to raise in the waiting callers for one in the thread."""
    return error if isinstance(error, EngineError | UserError) else EngineError(f"{type(error).__name__}: {error}")


def _deliver(results: Iterable[tuple[Job[Asked, Given], Given | Exception]]) -> None:
    for job, result in results:
        job.results.put_nowait(result)
