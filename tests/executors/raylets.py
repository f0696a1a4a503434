"""Ray clusters of several raylets on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZE = 100 * 2**20
"""Bytes of shared memory of a raylet."""


def node_of(cluster: Any, process: int) -> Any:
    """Returns the node of a cluster that a process was started by, however indirectly."""
    nodes = {node.all_processes["raylet"][0].process.pid: node for node in cluster.list_all_nodes()}
    return next(nodes[each] for each in ancestors(process) if each in nodes)


def ancestors(process: int) -> Iterator[int]:
    """Yields the process that started another, and so on; none if it is gone."""
    while process > 1:
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return
        yield process


@contextmanager
def raylets(*more: dict[str, Any], connect: bool = True, **head: Any) -> Iterator[Any]:
    """Yields a cluster of a head and further raylets, each with what it has; this process is connected to it."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    size = {"object_store_memory": SIZE}
    given = {"include_dashboard": False, **size, **head}
    made = Cluster(initialize_head=True, head_node_args=given)
    for each in more:
        made.add_node(**size, **each)
    if connect:
        ray.init(address=made.address, log_to_driver=False)
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
