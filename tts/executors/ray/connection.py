"""What a process has on a Ray cluster: workers, and model servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.executors.ray.cluster import Cluster, Wanted
from tts.executors.ray.fleet import Fleet
from tts.executors.ray.staff import Staff
from tts.executors.servers.served import Demand


@dataclass(frozen=True)
class Connection:
    """A connection with what is there.

    Attributes:
        cluster: The cluster.
        staff: The workers.
        fleet: The model servers.
    """

    cluster: Cluster
    staff: Staff
    fleet: Fleet

    async def close(self) -> None:
        """Ends workers and servers, and leaves the cluster."""
        if self.cluster.lost:  # nobody would say what has become of actors
            self.fleet.abandon()
        else:
            await self.staff.close()
            await self.fleet.close()
        self.cluster.close()


async def connected(
    address: str | None, workers: int, needs: Mapping[str, float], demands: Sequence[Demand], wait: float
) -> Connection:
    """Returns a connection to a cluster that has room for all.

    Args:
        address: As for `Cluster`.
        workers: Number of workers.
        needs: What one of them needs, by name.
        demands: The servers.
        wait: Seconds to wait for machines.

    Raises:
        UserError: No cluster answers, or it has no room.
    """
    cluster = Cluster(address)
    try:
        await cluster.wait_for(wanted(workers, needs, demands), wait)
    except BaseException:
        cluster.close()
        raise
    staff = Staff(cluster, needs, wait)
    return Connection(cluster, staff, Fleet(cluster, wait, staff.moved))


def wanted(workers: int, needs: Mapping[str, float], demands: Sequence[Demand]) -> list[Wanted]:
    """Returns what machines must hold: first the servers, of which each needs most."""
    servers = [
        Wanted(demand.replicas, f"{where}.replicas", dict(demand.needs), f"{where}.resources")
        for demand in demands
        for where in (f"executor.serve.{demand.place}",)
    ]
    return [*servers, Wanted(workers, "executor.workers", needs, "executor.resources")]
