"""The model servers of a process, as actors of a Ray cluster; kept from job to job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tts.core.attendance import ServerAt
from tts.core.errors import RunError, UserError
from tts.executors.crew import LostError
from tts.executors.ray.cluster import Cluster
from tts.executors.ray.replica import Moved, Replica
from tts.executors.servers.served import Demand

_log = logging.getLogger(__name__)


class Group:
    """Servers of one model.

    Args:
        demand: What they are.
        cluster: Where they are started.
        moved: Called when one has another URL.

    Attributes:
        demand: As given.
        users: The jobs that use them, which are told when none is left.
    """

    def __init__(self, demand: Demand, cluster: Cluster, moved: Moved) -> None:
        self.demand = demand
        self.users: list[Lease] = []
        self._replicas = [Replica(demand, cluster, moved) for _ in range(demand.replicas)]
        self._keeping: list[asyncio.Task[None]] = []
        self._left = demand.replicas

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return self._left == 0

    @property
    def urls(self) -> list[str]:
        """Where they are now."""
        return [replica.state.url for replica in self._replicas]

    def told(self) -> list[ServerAt]:
        """Returns what a display shows of them."""
        return [replica.told() for replica in self._replicas]

    async def start(self, wait: float) -> None:
        """Starts them; returns once all answer, and keeps them from then on.

        Args:
            wait: Seconds until each must have found a machine.

        Raises:
            UserError: One has found none, or does not answer.
        """
        starts = [asyncio.create_task(replica.start(wait)) for replica in self._replicas]
        try:
            await asyncio.gather(*starts)
        except BaseException as error:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.close()
            if isinstance(error, LostError):
                raise UserError(
                    f"executor.serve.{self.demand.place}: a server was lost before it answered: {error}"
                ) from None
            raise
        self._keeping = [asyncio.create_task(self._keep(replica)) for replica in self._replicas]

    def abandon(self) -> None:
        """Keeps them no more."""
        for task in self._keeping:
            task.cancel()

    async def close(self) -> None:
        """Ends them."""
        self.abandon()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(replica.close() for replica in self._replicas))

    async def _keep(self, replica: Replica) -> None:
        why = await replica.keep()
        self._left -= 1
        place = self.demand.place
        if self._left:
            _log.warning("going on with %d servers of %s; %s", self._left, place, why)
            return
        for user in self.users:
            user.lost(RunError(f"executor.serve.{place}: no server is left; {why}"))


@dataclass(eq=False)
class Lease:
    """The servers of a job.

    Attributes:
        groups: The servers.
        lost: Called when none is left of a group.
    """

    groups: Sequence[Group]
    lost: Callable[[RunError], object] = lambda _: None

    @property
    def demands(self) -> list[Demand]:
        """What they are."""
        return [group.demand for group in self.groups]

    @property
    def urls(self) -> dict[str, list[str]]:
        """Where they are now, by the place of the engine that asks them."""
        return {group.demand.place: group.urls for group in self.groups}

    def told(self) -> list[ServerAt]:
        """Returns what a display shows of them."""
        return [server for group in self.groups for server in group.told()]


class Fleet:
    """Groups of servers by what they are.

    Args:
        cluster: Where they are started.
        wait: Seconds until each must have found a machine.
        moved: Called when one has another URL.
    """

    def __init__(self, cluster: Cluster, wait: float, moved: Moved) -> None:
        self._cluster = cluster
        self._wait = wait
        self._moved = moved
        self._groups: dict[Demand, Group] = {}
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def serving(self, demands: Sequence[Demand]) -> AsyncIterator[Lease]:
        """Returns a context in which servers answer; they stay until others are needed in their place.

        Args:
            demands: What they are.

        Raises:
            UserError: One has found no machine, or does not answer.
        """
        async with self._turn:
            await self._end_unused(demands)
            new = [demand for demand in demands if demand not in self._groups]
            groups = {demand: Group(demand, self._cluster, self._moved) for demand in new}
            self._groups.update(groups)
            starts = [asyncio.create_task(group.start(self._wait)) for group in groups.values()]
            try:
                await asyncio.gather(*starts)
            except BaseException:
                for start in starts:
                    start.cancel()
                await asyncio.gather(*starts, return_exceptions=True)
                for demand in new:
                    await self._groups.pop(demand).close()
                raise
            lease = Lease([self._groups[demand] for demand in demands])
            for group in lease.groups:
                group.users.append(lease)
        try:
            yield lease
        finally:
            for group in lease.groups:
                group.users.remove(lease)

    async def close(self) -> None:
        """Ends all servers."""
        while self._groups:
            await self._groups.popitem()[1].close()

    def abandon(self) -> None:
        """Forgets the servers: their cluster is gone."""
        for group in self._groups.values():
            group.abandon()
        self._groups.clear()

    async def _end_unused(self, demands: Sequence[Demand]) -> None:
        """Ends the servers that hold the place of others, and those of which none is left."""
        places = {demand.place for demand in demands}
        for demand, group in tuple(self._groups.items()):
            other = demand not in demands and demand.place in places
            if not group.users and (other or group.over):
                await self._groups.pop(demand).close()
