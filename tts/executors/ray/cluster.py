"""The connection to a Ray cluster: one of this process alone, or one that runs already."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import ray

from tts.core.errors import RunError, UserError
from tts.core.setting_error import refused

_STORE: Final = 200 * 2**20
"""Bytes of shared memory for objects, in a cluster of our own: records are small."""
_REACH: Final = 5.0
"""Seconds in which the address of a cluster must answer."""
_SILENT: Final = 4
"""Times in a row that the head node must not answer to count as gone."""
_LOOK: Final = 0.5
"""Seconds between two looks at what the machines have."""


@dataclass(frozen=True)
class Wanted:
    """What machines must hold.

    Attributes:
        number: How many.
        number_in: The setting that says so.
        needs: What one of them needs, by name.
        needs_in: The setting that says so.
    """

    number: int
    number_in: str
    needs: Mapping[str, float]
    needs_in: str

    def asked(self) -> str:
        """Returns it in words."""
        asked = " and ".join(f"{name}: {amount:g}" for name, amount in self.needs.items())
        return f"{self.number_in}={self.number} with {asked}"


class Cluster:
    """A connection to a cluster.

    A program that is connected already keeps its connection.

    Args:
        address: Of a running cluster, or `auto`; None for a cluster of this machine alone, which ends with the connection.

    Attributes:
        lost: Whether its head node is gone.

    Raises:
        UserError: No cluster answers there.
    """

    def __init__(self, address: str | None) -> None:
        self.lost = False
        self._address = address
        self._ours = not ray.is_initialized()
        self._grows = address is not None or not self._ours
        if self._ours:
            with _signals_kept():
                self._connect()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet: dict[str, object] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        if self._address is None:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=_STORE,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
            return
        _check_reachable(self._address)
        try:
            ray.init(address=self._address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise _unanswered(self._address, said) from None

    async def wait_for(self, wanted: Sequence[Wanted], wait: float) -> None:
        """Returns once the machines have what is wanted, used or not.

        Args:
            wanted: All that must fit beside each other.
            wait: Seconds after which it is given up. A cluster of this machine alone does not grow.

        Raises:
            UserError: They have not.
        """
        waited = 0.0
        while (lack := self._lack(wanted)) is not None:
            if not self._grows or waited >= wait:
                after = f" after {wait:g} s (executor.wait)" if self._grows else ""
                settings = ", ".join(name for each in wanted for name in (each.number_in, each.needs_in))
                raise UserError(f"{lack}{after}; ask for less ({settings}), or add machines")
            await asyncio.sleep(_LOOK)
            waited += _LOOK

    def _lack(self, wanted: Sequence[Wanted]) -> str | None:
        """Returns what the machines lack, None if nothing."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        left = [dict(node) for node in nodes]
        for each in wanted:
            fit = _placed(each, left)
            if fit < each.number:
                has = "; ".join(_shown({name: node.get(name, 0.0) for name in each.needs}) for node in nodes)
                beside = (
                    ""
                    if each is wanted[0]
                    else f" beside {' and '.join(w.asked() for w in wanted[: wanted.index(each)])}"
                )
                return (
                    f"{each.asked()} each do not fit: {len(nodes)} machine{'s' * (len(nodes) != 1)} ({has}) can hold "
                    f"{fit}{beside}"
                )
        return None

    async def head_lost(self) -> RunError:
        """Returns once the head node is gone, with what that means.

        Without it Ray ends this process a minute later, with whatever it is about to do.
        """
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        silent = 0
        while silent < _SILENT:
            await asyncio.sleep(_REACH)
            try:
                async with asyncio.timeout(_REACH):
                    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                writer.close()
                silent = 0
            except OSError:  # also if there is no answer in time
                silent += 1
        self.lost = True
        return RunError(
            f"the head node of the Ray cluster ({host}:{port}) is gone, and with it the cluster; start another one, and run "
            "the same command again: it goes on"
        )

    def free(self) -> str:
        """Returns what is not in use, in words."""
        shown = {name: amount for name, amount in ray.available_resources().items() if name in ("CPU", "GPU")}
        return _shown({"CPU": 0.0, **shown})

    def close(self) -> None:
        """Disconnects; a cluster of this process alone ends."""
        if self._ours and ray.is_initialized():
            with _signals_kept():
                ray.shutdown()


def options(needs: Mapping[str, float]) -> dict[str, object]:
    """Returns what Ray is told of an actor that is not to be started again by Ray.

    Args:
        needs: What it needs, by name.
    """
    own = {name: amount for name, amount in needs.items() if name not in ("CPU", "GPU", "memory")}
    kinds = {"num_cpus": needs.get("CPU", 0.0), "num_gpus": needs.get("GPU", 0.0), "memory": needs.get("memory")}
    return {**kinds, "resources": own, "max_restarts": 0}


def _placed(wanted: Wanted, left: Sequence[dict[str, float]]) -> int:
    """Returns how many of what is wanted fit the machines, and takes what they need from what is left there."""
    placed = 0
    for node in left:
        number = min(_holds(node, wanted.needs), wanted.number - placed)
        placed += number
        for name, amount in wanted.needs.items():
            node[name] = node.get(name, 0.0) - number * amount
    return placed


def _holds(node: Mapping[str, float], needs: Mapping[str, float]) -> int:
    """Returns how many fit a machine."""
    return int(min((node.get(name, 0.0) / amount + 1e-9 for name, amount in needs.items() if amount), default=1e6))


def _shown(amounts: Mapping[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts.items())


def _check_reachable(address: str) -> None:
    """Raises UserError if an address is none, or nothing listens there: Ray itself takes a minute to say so."""
    if address == "auto":
        return
    if "://" in address:
        raise refused("address", address, "run the command on a machine of the cluster, with auto or HOST:PORT")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise refused(
            "address", address, "auto or HOST:PORT, as `ray start --head` prints it; null for this machine alone"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_REACH).close()
    except OSError as error:
        raise _unanswered(address, error.strerror or str(error)) from None


def _unanswered(address: str, said: str) -> UserError:
    return UserError(
        f"executor.address={address}: no Ray cluster answers ({said}); start one with `ray start --head`, or set "
        "executor.address=null for a cluster of this machine alone"
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undoes what Ray does to the handlers of signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
