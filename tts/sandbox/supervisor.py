"""The supervisor's side of a zygote, on an asyncio event loop."""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tts.core.errors import UserError
from tts.sandbox.child import REPORT_LIMIT, Child, ClosedError, LostError, Settings
from tts.sandbox.refusal import refusal
from tts.sandbox.zygote import messages

START_LIMIT = 120.0  # seconds; importing everything on a loaded machine takes a few
GRACE = 10.0  # seconds that a zygote has to end a child before it counts as hung
_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv.pop(3)); from zygote.server import main; del sys.path[0]; main()"
_ENVIRONMENT = {
    "HOME": "/",
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
    # Fixes the order of sets, so that runs can be repeated.
    "PYTHONHASHSEED": "0",
    # The children cannot create threads.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Zygote:
    """A process that forks children. If it dies, a new one forks the next child."""

    def __init__(self, settings: Settings) -> None:
        self.layers: tuple[str, ...] = ()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._starting: asyncio.Task[None] | None = None
        self._children: dict[int, Child] = {}
        self._count = 0
        self._spare: Child | None = None
        self._dying: dict[int, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def load(self) -> int:
        """Number of living children."""
        return len(self._children)

    @property
    def process_id(self) -> int | None:
        """Process id of the living zygote, None if there is none."""
        return None if self._process is None else self._process.pid

    async def ready(self) -> None:
        """Waits until it can fork; starts it if it is not running.

        Raises:
            UserError: This machine cannot be locked down.
            LostError: It was closed.
        """
        if self._closed:
            raise ClosedError("the sandbox is closed")
        if self._control is not None:
            return
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def probe(self) -> None:
        """Determines which layers will be in force, with a process that locks itself down and ends.

        Raises:
            UserError: This machine cannot be locked down.
        """
        process, control, answer = await self._launch(probe=True)
        control.close()
        process.kill()
        process.wait()
        self.layers = self._welcome(answer)

    def take(self) -> Child:
        """Returns a fresh child; one is forked ahead. `ready` must have been awaited.

        Raises:
            LostError: The zygote has just died.
        """
        try:
            child = self._spare or self._fork()
            self._spare = self._fork()
        except OSError as error:
            lost = LostError(f"the sandbox's zygote does not accept requests: {error}")
            self.lose(lost)
            raise lost from error
        return child

    def request(self, what: int, number: int, descriptors: list[int] | None = None) -> None:
        """Sends a request to the zygote.

        Raises:
            OSError: It is gone or does not read.
        """
        if self._control is None:
            raise ConnectionResetError("the zygote is gone")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._control.sendmsg([messages.request(what, number)], rights)

    def kill(self, number: int) -> None:
        """Kills a child; a zygote that does not do so in time is given up."""
        if number not in self._children or number in self._dying:
            return
        loop = asyncio.get_running_loop()
        self._dying[number] = loop.call_later(GRACE, self.lose, LostError("the sandbox's zygote hangs"))
        try:
            self.request(messages.KILL, number)
        except OSError as error:
            loop.call_soon(self.lose, LostError(f"the sandbox's zygote does not accept requests: {error}"))

    def lose(self, error: LostError) -> None:
        """Gives up the zygote and all its children."""
        if self._control is None or self._process is None:
            return
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._control = self._process = self._spare = None
        for timer in self._dying.values():
            timer.cancel()
        self._dying.clear()
        children, self._children = self._children, {}
        for child in children.values():
            child.lose(error)

    async def close(self) -> None:
        """Ends it and its children permanently."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            self._starting = None
        self.lose(ClosedError("the sandbox was closed"))

    def _fork(self) -> Child:
        self._count += 1
        child = Child(self, self._count, self._settings)
        self._children[self._count] = child
        return child

    async def _start(self) -> None:
        process, control, answer = await self._launch(probe=False)
        try:
            self.layers = self._welcome(answer)
        except BaseException:
            control.close()
            process.kill()
            process.wait()
            raise
        self._process, self._control = process, control
        asyncio.get_running_loop().add_reader(control, self.hear)
        self._spare = self._fork()

    async def _launch(self, probe: bool) -> tuple[subprocess.Popen[bytes], socket.socket, bytes]:
        """Starts the process; returns it, our end of its control socket, and its first message."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        settings = self._settings
        config = {"mode": settings.mode, "timeout": settings.timeout, "memory": settings.memory, "probe": probe}
        arguments = [str(theirs.fileno()), json.dumps(config), str(Path(__file__).parent)]
        process = subprocess.Popen(  # noqa: ASYNC220  forks once, and asyncio's subprocess needs a child watcher
            [sys.executable, "-s", "-P", "-B", "-c", _BOOTSTRAP, *arguments],
            pass_fds=[theirs.fileno()],
            env=_ENVIRONMENT | {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        theirs.close()
        try:
            loop = asyncio.get_running_loop()
            return process, ours, await asyncio.wait_for(loop.sock_recv(ours, REPORT_LIMIT), START_LIMIT)
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise

    def _welcome(self, answer: bytes) -> tuple[str, ...]:
        if not answer:
            raise UserError(
                f"the sandbox's zygote ended while locking down (mode '{self._settings.mode}'); "
                "its message is on standard error"
            )
        message = json.loads(answer)
        if "missing" in message:
            raise refusal(self._settings.mode, message["missing"])
        return tuple(message["layers"])

    def hear(self) -> None:
        """Handles everything that the zygote has reported."""
        while self._control is not None:
            try:
                message = self._control.recv(REPORT_LIMIT)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self.lose(LostError("the sandbox's zygote died"))
                return
            end = messages.read_report(message)
            timer = self._dying.pop(end.number, None)
            if timer is not None:
                timer.cancel()
            child = self._children.pop(end.number, None)
            if child is self._spare:
                self._spare = None
            if child is not None:
                child.ended(end)
