"""An executor whose workers are in this process: all that they and the job say to each other goes through bytes."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from tts.config.build import Config
from tts.core.errors import UserError
from tts.executors.bank_service import BankService, Call
from tts.executors.courier import Courier
from tts.executors.messages import Errand, Ready, Refusal, Reply
from tts.executors.remote import RemoteWork
from tts.executors.worker import WorkerProcess
from tts.runtime.executor import Copy, Work

T = TypeVar("T")
R = TypeVar("R")
X = TypeVar("X")


def sent(message: X) -> X:
    copy: X = pickle.loads(pickle.dumps(message))
    return copy


class Neighbour:
    """A worker of a job, in this process."""

    def __init__(self, process: WorkerProcess, ready: Ready) -> None:
        self._process = process
        self._courier: Courier[object, object] = Courier(self._exchange)
        self.ready = ready

    @property
    def in_flight(self) -> int:
        return self.ready.in_flight

    async def do(self, errand: Errand[object]) -> Reply[object]:
        return await self._courier.do(errand)

    async def _exchange(self, errands: Sequence[tuple[int, Errand[object]]]) -> Sequence[tuple[int, Reply[object]]]:
        return sent(await self._process.exchange("job", sent(errands)))

    async def asks(self, answer: Mapping[str, float] | None) -> Sequence[str]:
        return sent(await self._process.asks("job", sent(answer)))


class Here:
    """Has the work done by workers in this process.

    Args:
        workers: Their number.
    """

    def __init__(self, workers: int = 2) -> None:
        self._workers = workers

    def check(self, config: Config) -> None: ...

    @asynccontextmanager
    async def at_work(self, work: Work[T, R], copy: Copy[T, R] | None, config: Config) -> AsyncIterator[Work[T, R]]:
        processes: list[WorkerProcess] = []
        service = BankService()

        async def hire(place: int) -> Neighbour:
            async def send(path: str, calls: Sequence[Call[object]]) -> Sequence[object] | str:
                return sent(await service.handle(str(place), path, sent(calls)))

            processes.append(WorkerProcess(".", send))
            ready = sent(await processes[-1].prepare("job", sent(copy)))  # type: ignore[arg-type]
            if isinstance(ready, Refusal):
                raise UserError(ready.message)
            return Neighbour(processes[-1], ready)

        remote: RemoteWork[T, R] = RemoteWork(hire, self._workers, work.counts())  # type: ignore[arg-type]
        try:
            yield remote
        finally:
            await remote.close()
            for process in processes:
                await process.close()
            await service.close()

    async def close(self) -> None: ...
