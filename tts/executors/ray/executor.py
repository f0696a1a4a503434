"""The executor that has a job's items done by actors of a Ray cluster."""

from __future__ import annotations

import asyncio
import importlib.util
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.build import Config
from tts.core.errors import RunError, UserError, missing_extra
from tts.core.settings import NonNegativeFloat, PositiveInt, Text, settings
from tts.executors.remote import RemoteWork
from tts.executors.servers.demands import demands_of, servings
from tts.executors.servers.served import Demand, Served
from tts.runtime.executor import Copy, Work
from tts.runtime.resources import Servings

if TYPE_CHECKING:
    from tts.executors.ray.cluster import Cluster
    from tts.executors.ray.connection import Connection
    from tts.executors.ray.fleet import Lease

T = TypeVar("T")
R = TypeVar("R")


@settings
class RayExecutor:
    """Has items done by workers on a cluster, which are kept from job to job with the engines that they have loaded.

    Args:
        workers: Number of workers.
        resources: What a worker needs: `CPU`, `GPU`, `memory` in bytes, or a name that the cluster has.
        address: Of a running cluster, or `auto`; None for a cluster of this machine alone.
        wait: Seconds to wait for machines that have what is needed, and for other runs to free it.
        serve: Model servers to start, by the place of the engine that asks them: `policy`, `verifier`, `search.draft`.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(
        self,
        workers: PositiveInt = 2,
        resources: Mapping[str, NonNegativeFloat] | None = None,
        address: Text | None = None,
        wait: NonNegativeFloat = 60.0,
        serve: Mapping[str, Served] | None = None,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise missing_extra("ray", "ray")
        self._workers = workers
        self._needs = dict(resources or {"CPU": 1.0})
        self._address = address
        self._wait = wait
        self._serve = serve or {}
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    def check(self, config: Config) -> None:
        """Checks that the engines whose servers it starts ask servers.

        Raises:
            UserError: One does not.
        """
        demands_of(self._serve, config)

    @asynccontextmanager
    async def at_work(self, work: Work[T, R], copy: Copy[T, R] | None, config: Config) -> AsyncIterator[Work[T, R]]:
        """Returns a context with work that is done by the workers.

        Raises:
            UserError: The work has objects of the caller, or goes by a virtual clock; or the cluster cannot do it.
        """
        if copy is None:
            raise UserError(
                "executor=ray: every worker composes the search from its configuration, which does not describe objects of "
                "your program; name their classes in a configuration (_target_, --config-dir), or use executor=local"
            )
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            raise UserError("executor=ray: processes have no virtual time in common; use executor=local or clock=real")
        from tts.executors.ray.metrics import Metrics

        demands = demands_of(self._serve, config)
        made = await self._connected(demands)
        job = uuid.uuid4().hex
        async with made.fleet.serving(demands) as lease:
            found = partial(_servings, config, lease)
            hire = partial(made.staff.employee, job=job, copy=copy, servings=found)
            remote: RemoteWork[T, R] = RemoteWork(hire, self._workers, work.counts(), lease.told, Metrics())
            lease.lost = remote.give_up
            watching = asyncio.create_task(_end_without_head(made.cluster, remote.give_up))
            try:
                yield remote
            finally:
                watching.cancel()
                await remote.close()
                if not made.cluster.lost:
                    await made.staff.finish(job)

    async def close(self) -> None:
        """Ends workers and servers, and leaves the cluster."""
        made, self._connection = self._connection, None
        if made is not None:
            await made.close()

    async def _connected(self, demands: Sequence[Demand]) -> Connection:
        """Returns the connection to a cluster that has room; connects if that was not done."""
        # Ray takes a second to import, which a run that only checks its configuration need not wait for.
        from tts.executors.ray.connection import connected, wanted

        async with self._connecting:  # of jobs that begin at the same time the first connects
            if self._connection is None:
                self._connection = await connected(self._address, self._workers, self._needs, demands, self._wait)
            else:
                await self._connection.cluster.wait_for(wanted(self._workers, self._needs, demands), self._wait)
            return self._connection


async def _end_without_head(cluster: Cluster, give_up: Callable[[RunError], object]) -> None:
    give_up(await cluster.head_lost())


def _servings(config: Config, lease: Lease) -> Servings:
    return servings(config, lease.urls, lease.demands)
