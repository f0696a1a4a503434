"""A model server as an actor of a Ray cluster, wherever it is."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import ray

from tts.core.attendance import ServerAt
from tts.core.errors import UserError
from tts.executors.crew import LostError
from tts.executors.messages import Refusal
from tts.executors.ray.actors import dismiss, made
from tts.executors.ray.cluster import Cluster, options
from tts.executors.ray.replies import all_of, reply_of
from tts.executors.servers.model_server import ModelServer, ServerState
from tts.executors.servers.patience import Restarts
from tts.executors.servers.served import Demand

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 100
"""Messages that a server's actor handles at once."""

Moved = Callable[[str, str], Awaitable[None]]
"""Tells all workers that a server has another URL now; takes the earlier one and this one."""


class ServerActor:
    """A model server on the machine that Ray chose.

    Args:
        demand: What to start.
        url: Where it was before, to come back there; None at first.
        folder: The directory of the command, to which paths are relative; if this machine has it.
    """

    def __init__(self, demand: Demand, url: str | None, folder: str) -> None:
        if Path(folder).is_dir():
            os.chdir(folder)
        host = _address()
        before = (url or "").removeprefix("http://").removesuffix("/v1").rpartition(":")
        self._server = ModelServer(demand, host, int(before[2]) if before[0].strip("[]") == host else None)

    async def arrive(self) -> str:
        """Returns the name of its machine, once it is there."""
        return platform.node() or "localhost"

    async def start(self) -> str | Refusal:
        """Starts the server; returns its URL, or why it does not answer."""
        try:
            return await self._server.start()
        except UserError as error:
            return Refusal(str(error))

    async def report(self) -> ServerState:
        """Returns its state, at the latest after two seconds."""
        return await self._server.report()

    async def close(self) -> None:
        """Ends the server."""
        await self._server.close()


def _address() -> str:
    """Returns this machine's address in the cluster: for one of this machine alone, that is not seen from outside."""
    here = ray.get_runtime_context().get_node_id()
    return next(str(node["NodeManagerAddress"]) for node in ray.nodes() if node["NodeID"] == here)


class Replica:
    """One server, wherever it is.

    Args:
        demand: What it is.
        cluster: Where it is started.
        moved: Called when it has another URL.

    Attributes:
        state: What is known of it.
    """

    def __init__(self, demand: Demand, cluster: Cluster, moved: Moved) -> None:
        self._demand = demand
        self._cluster = cluster
        self._moved = moved
        self._kind = ray.remote(ServerActor).options(max_concurrency=_AT_ONCE, **options(dict(demand.needs)))
        self._actor: ray.actor.ActorHandle | None = None
        self._elsewhere = Restarts(demand.restarts, demand.pause)
        self._before = 0  # restarts until it was started where it is
        self.state = ServerState("", up=False)

    async def start(self, wait: float | None = None) -> None:
        """Starts it on any machine; returns once it answers.

        Args:
            wait: Seconds until a machine must have room; None for ever.

        Raises:
            UserError: None has, or the server does not answer.
            LostError: The machine was lost meanwhile.
        """
        before = self.state.url
        actor = self._actor = await made(partial(self._kind.remote, self._demand, before or None, os.getcwd()))
        there = asyncio.ensure_future(reply_of(actor.arrive.remote()))
        try:
            await asyncio.wait((there,), timeout=wait)
            if not there.done():
                raise UserError(
                    f"executor.serve.{self._demand.place}: a server has found no place after {wait:g} s (executor.wait); "
                    f"free are {self._cluster.free()}: other runs hold the rest"
                )
            node = await there
        finally:
            there.cancel()
        url: str | Refusal = await reply_of(actor.start.remote())
        if isinstance(url, Refusal):
            raise UserError(f"executor.serve.{self._demand.place}: on {node}: {url.message}")
        self._note(ServerState(url))
        if before not in ("", url):
            await self._moved(before, url)

    async def keep(self) -> str:
        """Follows it, and starts it elsewhere if its machine is lost; returns why it is given up."""
        while True:
            try:
                return await self._followed()
            except LostError as error:
                lost = str(error)
            started = False
            while not started:
                _log.warning("the server of %s at %s was lost: %s", self._demand.place, self.state.url, lost)
                self._before = self.state.restarts + 1
                self._note(ServerState(self.state.url, up=False))
                if not self._elsewhere.allowed:
                    return lost
                await self._elsewhere.next()
                try:
                    await self.start()
                    started = True
                except (LostError, UserError) as error:
                    lost = str(error)
                    self.dismiss()

    async def _followed(self) -> str:
        """Follows it where it is; returns why it is given up.

        Raises:
            LostError: Its machine, or the process that keeps it there, is gone.
        """
        assert self._actor is not None
        while self.state.lost is None:
            told: ServerState = await reply_of(self._actor.report.remote())
            if self.state.up and not told.up:
                _log.warning("the server of %s at %s ended, and is started again", self._demand.place, told.url)
            self._note(told)
        return self.state.lost

    def _note(self, told: ServerState) -> None:
        self.state = replace(told, restarts=told.restarts + self._before)

    def told(self) -> ServerAt:
        """Returns what a display shows of it."""
        state, load = self.state, self.state.load
        return ServerAt(
            self._demand.place, state.url, state.up, state.restarts, load.running, load.waiting, load.prefix_hits
        )

    async def close(self) -> None:
        """Ends it."""
        if self._actor is not None:
            await all_of([self._actor.close.remote()])
            self.dismiss()

    def dismiss(self) -> None:
        """Ends its actor; what that has started ends with it."""
        if self._actor is not None:
            dismiss(self._actor)
            self._actor = None
