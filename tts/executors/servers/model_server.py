"""A model server: a command on this machine that is started again when it ends."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tts.core.errors import UserError
from tts.executors.servers import keeper
from tts.executors.servers.load import Load, read_load
from tts.executors.servers.patience import Restarts
from tts.executors.servers.served import Demand, filled

_LINES: Final = 8
"""Lines of a server's output that a message shows."""
_LOOK: Final = 0.2
"""Seconds between two looks whether it answers."""
_NEWS: Final = 2.0
"""Seconds after which its state is told, also without a change."""
_PORTS: Final = range(20_000, 32_768)
"""Ports that systems give to nobody by themselves: one that is free stays free while a model is loaded."""


@dataclass(frozen=True)
class ServerState:
    """A server, as its machine sees it.

    Attributes:
        url: Its URL, up to and including `/v1`.
        up: Whether it answers.
        restarts: Times that it was started again.
        load: How busy it is.
        lost: Why it is not started again, None while it is.
    """

    url: str
    up: bool = True
    restarts: int = 0
    load: Load = field(default_factory=Load)
    lost: str | None = None


class ModelServer:
    """Starts a server, and starts it again when it ends. Its port is chosen once, and kept.

    All methods run in one event loop.

    Args:
        demand: What to start.
        host: This machine's address, where it is to listen.
        port: The port that it had before at this address; None for any.
    """

    def __init__(self, demand: Demand, host: str, port: int | None = None) -> None:
        self._demand = demand
        self._host = host
        self._port = port if port is not None and _free(host, port) else _free_port(host)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._port}/v1"
        self._restarts = Restarts(demand.restarts, demand.pause)
        self._said: deque[str] = deque(maxlen=_LINES)
        self._up = False
        self._lost: str | None = None
        self._news = asyncio.Event()
        self._answers: asyncio.Future[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Starts the server; returns its URL once it answers.

        Raises:
            UserError: There is no such command, or it ended or was silent instead: a repetition would do the same.
        """
        name = self._demand.command[0]
        if shutil.which(name, path=_path()) is None:
            raise UserError(f"there is no command '{name}'")
        self._answers = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep())
        await self._answers
        return self.url

    async def report(self) -> ServerState:
        """Returns its state: at once if that changed since it was last told, else in two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_NEWS):
                await self._news.wait()
        self._news.clear()
        load = await self._load() if self._up else Load()
        return ServerState(self.url, self._up, self._restarts.count, load, self._lost)

    async def close(self) -> None:
        """Ends the server."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        """Keeps the server running."""
        assert self._answers is not None
        while True:
            how = await self._run()
            self._up = False
            if not self._answers.done():
                self._answers.set_exception(UserError(how))
                return
            if not self._restarts.allowed:
                self._lost = how
            self._news.set()
            if self._lost is not None:
                return
            await self._restarts.next()

    async def _run(self) -> str:
        """Runs the server until it ends; returns how that was."""
        known = {"{host}": self._host, "{port}": str(self._port)}
        command = [sys.executable, "-I", str(keeper.__file__), *(filled(part, known) for part in self._demand.command)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PATH": _path()}
        )
        self._said.clear()
        ending = asyncio.create_task(self._read(process))
        answering = asyncio.create_task(self._until_it_answers())
        try:
            await asyncio.wait({ending, answering}, timeout=self._demand.wait, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not ending.done():
                self._came_up()
                await ending
        finally:
            answering.cancel()
            silent = not ending.done()
            await _ended(process)
            await ending
        if silent:
            return self._told(f"did not answer at {self.url}/models within {self._demand.wait:g} s")
        return self._told(_how(await process.wait()))

    def _came_up(self) -> None:
        assert self._answers is not None
        self._up = True
        self._news.set()
        if not self._answers.done():
            self._answers.set_result(None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Reads what it says, until it has ended; that goes to this process's output, too."""
        assert process.stdout is not None
        rest = b""
        while part := await process.stdout.read(1 << 16):
            sys.stdout.write(part.decode("utf-8", "replace"))
            *lines, rest = (rest + part)[-(1 << 16) :].split(b"\n")
            self._said.extend(line.decode("utf-8", "replace").strip() for line in lines if line.strip())
        if rest.strip():
            self._said.append(rest.decode("utf-8", "replace").strip())
        await process.wait()

    async def _until_it_answers(self) -> None:
        async with _client() as client:
            while True:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self.url}/models")).is_success:
                        return
                await asyncio.sleep(_LOOK)

    async def _load(self) -> Load:
        async with _client() as client:
            with suppress(httpx.HTTPError):
                page = await client.get(f"{self.url.removesuffix('/v1')}/metrics")
                return read_load(page.text) if page.is_success else Load()
        return Load()

    def _told(self, how: str) -> str:
        lines = "".join(f"\n  {line}" for line in self._said)
        said = f"; it said at last:{lines}" if lines else " and said nothing"
        return f"`{' '.join(self._demand.command)}` {how}{said}"


def _client() -> httpx.AsyncClient:
    """Returns a client for servers on this machine, which no proxy has."""
    return httpx.AsyncClient(timeout=5.0, trust_env=False)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Has a command ended by its keeper."""
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _how(status: int) -> str:
    if status > 128:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(status - 128).name}"
    return f"ended with status {status}"


def _path() -> str:
    """Returns where commands are looked for: also beside Python, for an environment that nobody activated."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))


def _free_port(host: str) -> int:
    return next(port for port in random.sample(_PORTS, len(_PORTS)) if _free(host, port))


def _free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of connections that ended a moment ago
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
