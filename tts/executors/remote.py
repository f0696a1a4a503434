"""The work of a job, done by a crew of workers: for the job it is like work in this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final, Generic, Protocol, TypeVar

from tts.budget import Ledger, Limits, Scope, Usage, charge, current
from tts.core.attendance import Attended, ServerAt, WorkerAt
from tts.core.errors import RunError
from tts.core.events import emit
from tts.core.json import Json, JsonObject
from tts.executors.crew import Crew, LostError, Worker
from tts.executors.messages import Errand, Ready, Reply
from tts.runtime.faults import ElsewhereError, Fault

T = TypeVar("T")
R = TypeVar("R")

_EVERY: Final = 1.0
"""Seconds between two times that it is told who is at work."""


class Employee(Worker[Errand[T], Reply[R]], Protocol[T, R]):
    """A worker of a job.

    Attributes:
        ready: What it has started.
    """

    ready: Ready

    def give_up(self, cause: RunError) -> None:
        """Fails the items that it has in progress."""

    async def asks(self, answer: Mapping[str, float] | None) -> Sequence[str]:
        """Takes the answer to its last question, and returns the next: the limits of which it asks for more.

        Raises:
            LostError: The worker is gone.
        """


class RemoteWork(Generic[T, R]):
    """Work that is done by workers.

    Args:
        hire: Returns a new worker for a place.
        size: Number of workers.
        counts: What the work counts, with what was counted so far.
        servers: Returns the model servers that were started for it.
        watch: Told about once a second who is at work, and once in the end.
    """

    def __init__(
        self,
        hire: Callable[[int], Awaitable[Employee[T, R]]],
        size: int,
        counts: Mapping[str, int],
        servers: Callable[[], Sequence[ServerAt]] = tuple,
        watch: Callable[[Attended], object] = lambda _: None,
    ) -> None:
        self._hire = hire
        self._size = size
        self._crew: Crew[Errand[T], Reply[R]] = Crew(self._hired, size)
        self._employees: dict[int, Employee[T, R]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._ledger: Ledger | None = None
        self._each = 1
        self._counts = Counter(counts)
        self._done: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._servers = servers
        self._watch = watch
        self._watching: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """Number of items in progress at once, at all workers."""
        return self._size * self._each

    async def start(self) -> JsonObject:
        """Hires the workers; returns what the first that is ready has found. The others join as they can.

        Raises:
            UserError: No worker can do the work.
            RunError: All were lost.
        """
        first = await self._crew.start()
        self._each = first.in_flight
        self._watching = asyncio.create_task(self._tell())
        return next(iter(self._employees.values())).ready.found

    async def do(self, item: T) -> R:
        """Has one item done; its cost is charged here, too.

        Raises:
            ProblemError: The item failed, or lost one worker after the other.
            RunError: Something that all items need is lost, or no worker is left.
        """
        meter = current()
        run = meter.parent or Scope()
        if self._ledger is None:
            self._ledger = Ledger(run, self._size)
        errand = Errand(item, meter.name, meter.order, meter.about, meter.limits, run.name, _left(run))
        reply = await self._crew.do(errand)
        for role, amounts in reply.usage.items():
            self._tokens[role] += int(amounts.get("completion_tokens", 0))
            charge(role, Usage(**amounts))  # type: ignore[arg-type]  # flops and dollars are floats
        for name in reply.hit:
            meter.note(name)
        self._counts.update(reply.counts)
        self._done[reply.worker] += 1
        if reply.lost is not None:
            raise RunError(reply.lost)
        if isinstance(reply.result, Fault):
            raise ElsewhereError(reply.result)
        return reply.result

    def counts(self) -> Mapping[str, int]:
        """Returns what all workers have counted."""
        return self._counts

    def account(self) -> JsonObject:
        """Returns how many items each worker did, what was lost and done again, and the servers that were started."""
        losses = self._crew.losses
        done: JsonObject = {**self._done}
        told: JsonObject = {"done": done, "workers_lost": losses.workers, "repeated": losses.items}
        servers: list[Json] = [{**asdict(server)} for server in self._servers()]
        return {"executor": {**told, **({"servers": servers} if servers else {})}}

    def standing(self) -> str:
        """Returns how many workers there are, and were lost."""
        lost = self._crew.losses.workers
        return f"  {self._crew.present} of {self._size} workers{f', {lost} lost' if lost else ''}"

    def attended(self) -> Attended:
        """Returns who is at work."""
        busy = {id(worker): items for worker, items in self._crew.busy()}
        workers = tuple(
            WorkerAt(each.ready.worker, busy[id(each)], each.in_flight, self._done[each.ready.worker])
            for each in self._employees.values()
            if id(each) in busy
        )
        losses = self._crew.losses
        servers, waiting, done = tuple(self._servers()), self._crew.waiting, self._done.total()
        return Attended("", 0.0, workers, servers, waiting, losses.workers, losses.items, done, dict(self._tokens))

    def give_up(self, cause: RunError) -> None:
        """Fails all items: something that they need is lost."""
        self._crew.give_up(cause)
        for employee in self._employees.values():
            employee.give_up(cause)

    async def close(self) -> None:
        """Hires no more, and answers no more questions."""
        await self._crew.close()
        tasks = [*self._answering, *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._say()

    def _say(self) -> None:
        attended = self.attended()
        self._watch(attended)
        emit(lambda: attended)

    async def _tell(self) -> None:
        """Tells who is at work."""
        while True:
            await asyncio.sleep(_EVERY)
            self._say()

    async def _hired(self, place: int) -> Employee[T, R]:
        employee = self._employees[place] = await self._hire(place)
        answering = asyncio.create_task(self._answer(employee))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        return employee

    async def _answer(self, employee: Employee[T, R]) -> None:
        """Grants a worker parts of the run's limits as long as it asks; it does so only while it has items."""
        answer: Mapping[str, float] | None = None
        while True:
            try:
                keys = await employee.asks(answer)
            except LostError:
                return
            if not keys:  # the job has ended
                return
            assert self._ledger is not None
            answer = self._ledger.grant(keys)


def _left(run: Scope) -> Limits:
    """Returns a scope's limits with the time that is left."""
    seconds = run.limits.seconds
    return run.limits if seconds is None else replace(run.limits, seconds=max(1e-3, seconds - run.wall_s))
