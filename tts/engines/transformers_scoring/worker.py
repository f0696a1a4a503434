"""The thread that owns the models: takes readings as they arrive, reads them together, hands the results back."""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from tts.core.errors import EngineError
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers_scoring.scorer import Scorer


@dataclass(eq=False)
class Job:
    """One reading and who waits for it."""

    reading: ScoreRequest
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[ScoreRows]


class Worker:
    """Reads in a thread of its own, as long as there is work.

    Args:
        scorers: The models; each reads everything, and their values stand side by side.
        threads: torch's threads for one operation on a CPU.
    """

    def __init__(self, scorers: Sequence[Scorer], threads: int) -> None:
        self._scorers = scorers
        self._threads = threads
        self._inbox: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._arriving: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Job]] = WeakKeyDictionary()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tts-reader", daemon=True)
        self._thread.start()
        # A thread that is still in torch when the interpreter goes down would abort the process.
        atexit.register(self.close)

    def submit(self, job: Job) -> None:
        """Takes a reading in; those of one turn of the event loop are handed over together.

        Raises:
            EngineError: The engine is closed.
        """
        with self._lock:
            if self._closed:
                raise EngineError("the engine was closed")
        jobs = self._arriving.setdefault(job.loop, [])
        jobs.append(job)
        if len(jobs) == 1:
            job.loop.call_soon(self._hand_over, job.loop)

    def close(self) -> None:
        """Ends the thread; whoever still waits gets an EngineError."""
        with self._lock:
            self._closed = True
            self._inbox.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._arriving.pop(loop, [])
        with self._lock:
            if not self._closed:
                self._inbox.put(jobs)
                return
        _deliver([(job, EngineError("the engine was closed")) for job in jobs])

    def _run(self) -> None:
        torch.set_num_threads(self._threads)
        *others, last = self._scorers
        while (jobs := self._receive()) is not None:
            wanted = [job for job in jobs if not job.result.done()]
            readings = [job.reading for job in wanted]
            try:
                with torch.inference_mode():
                    earlier = [dict(scorer.read(readings)) for scorer in others]
                    for number, rows in last.read(readings):
                        read = [*(theirs[number] for theirs in earlier), rows]
                        self._send([(wanted[number], _side_by_side(read))])
            except Exception as error:
                failure = EngineError(f"{type(error).__name__}: {error}")
                self._send([(job, failure) for job in wanted])

    def _receive(self) -> list[Job] | None:
        """Returns all that has arrived, waiting where nothing has; None when closed, having told those who wait."""
        jobs: list[Job] = []
        while not jobs or not self._inbox.empty():
            arrived = self._inbox.get()
            if arrived is None:
                self._send([(job, EngineError("the engine was closed")) for job in jobs])
                return None
            jobs += arrived
        return jobs

    def _send(self, results: Sequence[tuple[Job, ScoreRows | EngineError]]) -> None:
        for loop in {job.loop for job, _ in results}:
            # A loop that was closed meanwhile has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_deliver, [(job, result) for job, result in results if job.loop is loop])


def _side_by_side(read: Sequence[ScoreRows]) -> ScoreRows:
    """Joins the models' values at each position."""
    return tuple(tuple(value for part in parts for value in part) for parts in zip(*read, strict=True))


def _deliver(results: Sequence[tuple[Job, ScoreRows | EngineError]]) -> None:
    for job, result in results:
        if job.result.done():
            continue
        if isinstance(result, EngineError):
            job.result.set_exception(result)
        else:
            job.result.set_result(result)
