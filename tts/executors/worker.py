"""A worker's process: it has engines and sandboxes of its own, and does the items of jobs with them."""

from __future__ import annotations

import asyncio
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from tts.bank import Bank
from tts.budget import SharedScope, scope, within
from tts.core.errors import RunError, UserError
from tts.executors.bank_service import Send, ServedStore
from tts.executors.installed import installed
from tts.executors.messages import Arrival, Errand, Ready, Refusal, Reply
from tts.runtime.executor import Copy, Work
from tts.runtime.faults import Fault, attempt, leaf
from tts.runtime.resources import Resources, Servings

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Job(Generic[T, R]):
    """A job that this process works for.

    Attributes:
        work: The work.
        run: The scope around all of its items here; opened with the first.
        asked: The limits of which more is asked for, and where to put the answer.
        told: What it has counted, as told so far.
        tasks: Its items in progress.
        ended: Replies that were not sent yet.
        waiting: Whoever waits for a reply.
    """

    work: Work[T, R]
    run: SharedScope | None = None
    asked: asyncio.Queue[tuple[Sequence[str], asyncio.Future[Mapping[str, float]]]] = field(
        default_factory=asyncio.Queue
    )
    answering: asyncio.Future[Mapping[str, float]] | None = None
    told: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    ended: list[tuple[int, Reply[R]]] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, number: int, errand: Errand[T]) -> None:
        """Does an item."""
        with within(self.around(errand)):
            reply = await _done(self, errand)
        self.ended.append((number, reply))
        self.waiting.set()

    async def replies(self) -> Sequence[tuple[int, Reply[R]]]:
        """Returns replies, none if another asks for them meanwhile."""
        self.waiting.set()
        self.waiting = mine = asyncio.Event()
        if not self.ended:
            await mine.wait()
        replies, self.ended = self.ended, []
        return replies

    async def end(self) -> None:
        """Cancels what is in progress, and leaves nobody waiting."""
        tasks = tuple(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.waiting.set()
        self.asked.put_nowait(((), asyncio.get_running_loop().create_future()))

    async def ask(self, keys: Sequence[str]) -> Mapping[str, float]:
        """Asks for more of limits."""
        answer: asyncio.Future[Mapping[str, float]] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait((keys, answer))
        return await answer

    def around(self, errand: Errand[T]) -> SharedScope:
        """Returns the scope around all items."""
        if self.run is None:
            self.run = SharedScope(name=errand.run, limits=errand.run_limits, ask=self.ask)
        return self.run

    def news(self) -> dict[str, int]:
        """Returns what was counted since it was last told."""
        counts = Counter(self.work.counts())
        new = {name: counts[name] - self.told[name] for name in counts if counts[name] != self.told[name]}
        self.told = counts
        return new


class WorkerProcess:
    """What a worker's process does when it is told to. All methods run in one event loop.

    Args:
        folder: The directory of the command, to which paths are relative; if this machine has it.
        send: Sends messages to the service that has the banks.
    """

    def __init__(self, folder: str, send: Send) -> None:
        if Path(folder).is_dir():
            os.chdir(folder)
        self._resources = Resources(lambda path: Bank(path, ServedStore(path, send)))
        self._jobs: dict[str, _Job[object, object]] = {}

    async def arrive(self) -> Arrival:
        """Says where it is."""
        return Arrival(_machine(), os.getpid(), installed())

    async def prepare(self, job: str, copy: Copy[object, object], servings: Servings | None = None) -> Ready | Refusal:
        """Composes the work of a job and starts what it needs; equal engines of several jobs are loaded once.

        Args:
            job: The job.
            copy: Composes its work.
            servings: Where its engines find servers that were started for it.
        """
        if job in self._jobs:  # this worker counted as lost, and is there again
            await self._jobs.pop(job).end()
        try:
            with self._resources.served(servings or {}):
                work = copy(self._resources)
            found = await work.start()
        except UserError as error:
            return Refusal(str(error))
        self._jobs[job] = _Job(work)
        return Ready(found, work.in_flight, _name())

    async def exchange(
        self, job: str, errands: Sequence[tuple[int, Errand[object]]]
    ) -> Sequence[tuple[int, Reply[object]]]:
        """Begins errands; returns the replies to these and earlier ones, at the latest when the next errands come."""
        known = self._jobs[job]
        for number, errand in errands:
            task = asyncio.create_task(known.do(number, errand))
            known.tasks.add(task)
            task.add_done_callback(known.tasks.discard)
        return await known.replies()

    async def asks(self, job: str, answer: Mapping[str, float] | None) -> Sequence[str]:
        """Takes the answer to the last question, and returns the next: the limits of which more is asked for."""
        known = self._jobs[job]
        if answer is not None and known.answering is not None and not known.answering.done():
            known.answering.set_result(answer)
        keys, known.answering = await known.asked.get()
        return keys  # none if the job has ended

    async def moved(self, before: str, now: str) -> None:
        """Notes that a server has another URL now."""
        self._resources.moved(before, now)

    async def finish(self, job: str) -> None:
        """Ends a job: what of it is in progress is cancelled, and its samples are stored."""
        known = self._jobs.pop(job, None)
        if known is not None:
            await known.end()
        await self._resources.flush()

    async def close(self) -> None:
        """Frees everything."""
        for job in tuple(self._jobs):
            await self.finish(job)
        await self._resources.close()


async def _done(job: _Job[T, R], errand: Errand[T]) -> Reply[R]:
    lost = None
    result: R | Fault = Fault("", "")
    with scope(errand.name, errand.limits, errand.order, errand.about) as meter:
        try:
            result = await attempt(partial(job.work.do, errand.item))
        except* RunError as group:
            lost = str(leaf(group))
    usage = {role: nonzero for role, spent in meter.usage.items() if (nonzero := spent.nonzero())}
    return Reply(result, _name(), usage, tuple(sorted(meter.hit)), job.news(), lost)


def _name() -> str:
    return f"{_machine()}:{os.getpid()}"


def _machine() -> str:
    return platform.node() or "localhost"
