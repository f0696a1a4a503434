"""The workers of a process as actors of a Ray cluster, kept from job to job."""

from __future__ import annotations

import asyncio
import os
import pickle
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tts.core.errors import RunError, UserError
from tts.executors.bank_service import BankService, Call
from tts.executors.courier import Courier
from tts.executors.crew import LostError
from tts.executors.installed import installed
from tts.executors.messages import Arrival, Errand, Ready, Refusal, Reply
from tts.executors.ray.actors import dismiss, made
from tts.executors.ray.cluster import Cluster, options
from tts.executors.ray.replies import all_of, reply_of
from tts.executors.worker import WorkerProcess
from tts.runtime.executor import Copy
from tts.runtime.resources import Servings

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE: Final = 10_000
"""Messages that a worker handles at once; its items in progress are bounded by its job."""


class WorkerActor(WorkerProcess):
    """A worker's process that takes and gives bytes: Ray itself packs an object several times as slowly."""

    async def exchange_packed(self, job: str, errands: bytes) -> bytes:
        """Takes errands, and gives replies."""
        return pickle.dumps(await self.exchange(job, pickle.loads(errands)))


class RayEmployee(Generic[T, R]):
    """An actor that works for a job.

    Args:
        actor: The actor, a `WorkerActor`.
        job: The job.
        ready: What it has started.
    """

    def __init__(self, actor: ray.actor.ActorHandle, job: str, ready: Ready) -> None:
        self._actor = actor
        self._job = job
        self._courier: Courier[T, R] = Courier(self._exchange)
        self.ready = ready

    @property
    def in_flight(self) -> int:
        """Number of items that it takes at once."""
        return self.ready.in_flight

    async def do(self, errand: Errand[T]) -> Reply[R]:
        """Does an item.

        Raises:
            LostError: The actor is gone.
        """
        return await self._courier.do(errand)

    def give_up(self, cause: RunError) -> None:
        """Fails the items that it has in progress."""
        self._courier.fail(lambda: cause)

    async def _exchange(self, errands: Sequence[tuple[int, Errand[T]]]) -> Sequence[tuple[int, Reply[R]]]:
        packed = await reply_of(self._actor.exchange_packed.remote(self._job, pickle.dumps(errands)))
        replies: Sequence[tuple[int, Reply[R]]] = pickle.loads(packed)
        return replies

    async def asks(self, answer: Mapping[str, float] | None) -> Sequence[str]:
        """Takes the answer to its last question, and returns the next.

        Raises:
            LostError: The actor is gone.
        """
        keys: Sequence[str] = await reply_of(self._actor.asks.remote(self._job, answer))
        return keys


class _Sender:
    """Sends a worker's messages to the service that has the banks.

    Args:
        service: An actor, a `BankService`.
        name: The worker's name.
    """

    def __init__(self, service: ray.actor.ActorHandle, name: str) -> None:
        self._service = service
        self._name = name

    async def __call__(self, path: str, calls: Sequence[Call[object]]) -> Sequence[object] | str:
        """Sends a message, and returns the answer."""
        answer: Sequence[object] | str = await reply_of(self._service.handle.remote(self._name, path, calls))
        return answer


@dataclass(frozen=True)
class _Member:
    """An actor that has found a place, and runs what this process runs.

    Attributes:
        actor: The actor, a `WorkerActor`.
        name: Its name at the service that has the banks.
        node: The name of its machine.
    """

    actor: ray.actor.ActorHandle
    name: str
    node: str


class Staff:
    """Actors by their places; one that is lost is replaced when its place is asked for again.

    Args:
        cluster: The cluster.
        needs: What an actor needs, by name.
        wait: Seconds until one of them must have found a place.
    """

    def __init__(self, cluster: Cluster, needs: Mapping[str, float], wait: float) -> None:
        self._cluster = cluster
        self._wait = wait
        self._kind = ray.remote(WorkerActor).options(max_concurrency=_AT_ONCE, **options(needs))
        # The banks' files are on this machine.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        service = ray.remote(BankService).options(num_cpus=0, max_concurrency=_AT_ONCE, scheduling_strategy=here)
        self._banks = service.remote()
        self._members: dict[int, _Member] = {}
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def employee(
        self, place: int, job: str, copy: Copy[T, R], servings: Callable[[], Servings]
    ) -> RayEmployee[T, R]:
        """Returns the actor of a place, ready for a job.

        Args:
            place: The place.
            job: The job.
            copy: Composes its work.
            servings: Returns where its engines find servers that were started for it.

        Raises:
            UserError: It cannot do the job, or no actor has found a place in time.
            LostError: It was lost meanwhile.
        """
        async with self._turns[place]:  # jobs at the same time share it
            if place in self._members:
                with suppress(LostError):
                    return await _prepared(self._members[place], job, copy, servings())
                gone = self._members.pop(place)
                self._dismiss(gone.actor, gone.name)
            self._members[place] = await self._hired()
            return await _prepared(self._members[place], job, copy, servings())

    async def _hired(self) -> _Member:
        """Returns a new actor; one that does not become a member is ended."""
        name = uuid.uuid4().hex
        actor = await made(partial(self._kind.remote, os.getcwd(), _Sender(self._banks, name)))
        try:
            return _Member(actor, name, await self._node(actor))
        except BaseException:
            self._dismiss(actor, name)
            raise

    async def _node(self, actor: ray.actor.ActorHandle) -> str:
        """Returns where an actor is, once it is there and was found to run what this process runs."""
        arriving = asyncio.ensure_future(reply_of(actor.arrive.remote()))
        try:
            await asyncio.wait((arriving,), timeout=self._wait)
            if not arriving.done() and not self._members:
                raise UserError(
                    f"executor.workers: none has found a place after {self._wait:g} s (executor.wait); free are "
                    f"{self._cluster.free()}: other runs hold the rest"
                )
            arrival: Arrival = await arriving
        finally:
            arriving.cancel()
        here = installed()
        if arrival.runs != here:
            raise UserError(
                f"{arrival.node} runs {arrival.runs}, and this is {here}: results would differ; install the same on all "
                "machines, and start its Ray anew"
            )
        return arrival.node

    async def moved(self, before: str, now: str) -> None:
        """Tells the actors that a model server has another URL now."""
        await all_of([member.actor.moved.remote(before, now) for member in self._members.values()])

    async def finish(self, job: str) -> None:
        """Ends a job: what of it is in progress is cancelled, and what was sampled is stored."""
        await all_of([member.actor.finish.remote(job) for member in self._members.values()])

    async def close(self) -> None:
        """Ends the actors."""
        await all_of([member.actor.close.remote() for member in self._members.values()])
        while self._members:
            member = self._members.popitem()[1]
            self._dismiss(member.actor, member.name)
        await all_of([self._banks.close.remote()])
        dismiss(self._banks)

    def _dismiss(self, actor: ray.actor.ActorHandle, name: str) -> None:
        dismiss(actor)
        self._banks.leave.remote(name)


async def _prepared(member: _Member, job: str, copy: Copy[T, R], servings: Servings) -> RayEmployee[T, R]:
    ready: Ready | Refusal = await reply_of(member.actor.prepare.remote(job, copy, servings))
    if isinstance(ready, Refusal):
        raise UserError(f"worker on {member.node}: {ready.message}")
    return RayEmployee(member.actor, job, ready)
