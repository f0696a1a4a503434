"""The sandbox that contains model-written code: locked-down processes forked by warm zygotes."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from annotated_types import Interval

from tts.concurrency.virtual_clock import real_work
from tts.core.errors import UserError
from tts.core.settings import Mebibytes, OneOf, PositiveInt, Processes, Seconds, settings
from tts.sandbox.base import Chain, Execution, IdentifiedSandbox, SandboxError
from tts.sandbox.child import Child, ClosedError, LostError, Settings
from tts.sandbox.software import versions
from tts.sandbox.supervisor import Zygote
from tts.sandbox.zygote.lockdown import MODES
from tts.sandbox.zygote.syscalls import unsupported

_VERSION = 1  # of the environment in the jail; raise it if the same code comes to print something else
_ATTEMPTS = 3  # times that a piece is run before the jail's own failures end its problem
MAX_OUTPUT = 1 << 19  # half of the largest pipe that Linux allows every user


@settings
class Jail(IdentifiedSandbox):
    """Runs code in processes without files, network, other processes or secrets, under limits.

    Each zygote has sympy, numpy, scipy and mpmath loaded and is locked down; each piece of code runs in a fresh fork of
    it, and each chain keeps its own fork while it is among the `live_chains` most recently used. It belongs to the
    event loop in which it was started. See docs/sandbox.md.
    """

    def __init__(
        self,
        mode: Annotated[str, OneOf(MODES)] = "auto",
        workers: Processes | None = None,
        timeout: Seconds = 5.0,
        memory_mb: Mebibytes = 512,
        output_limit: Annotated[int, Interval(ge=1, le=MAX_OUTPUT)] = 65536,
        live_chains: PositiveInt = 64,
    ) -> None:
        """Starts nothing yet.

        Args:
            mode: The layers besides seccomp: `auto` (the best available), `namespaces`, `landlock`, or `seccomp`
                (neither of them: code cannot open any file). A named mode is never weakened.
            workers: Number of zygotes, and of pieces that run at a time. None: one per core.
            timeout: Wall-clock seconds of one piece; GenPRM's own limit is 5.
            memory_mb: MiB of virtual memory that a process may add to the loaded packages.
            output_limit: Bytes kept of each of stdout and stderr; 524288 at most.
            live_chains: Chains that keep their process, including closed ones, in case another continues the same
                history; beyond that the least recently used process is ended, and rebuilt if its chain continues.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        self._workers = cores if workers is None else workers
        self._settings = limits = Settings(mode, timeout, memory_mb << 20, output_limit)
        self._mode = mode
        self._zygotes = [Zygote(limits) for _ in range(self._workers)]
        self._slots = asyncio.Semaphore(self._workers)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live_chains = live_chains
        self._chains: OrderedDict[JailChain, None] = OrderedDict()
        # Processes of closed chains, by the pieces that made their namespace, for chains that continue from there.
        self._parked: OrderedDict[tuple[str, ...], Child] = OrderedDict()

    @property
    def executes(self) -> bool:
        """True: code is run."""
        return True

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers in force, such as `namespaces`, `landlock`, `seccomp`; empty before `start` or `probe`."""
        return self._zygotes[0].layers

    async def start(self) -> None:
        """Starts the zygotes. Starting twice does nothing.

        Raises:
            UserError: The mode's layers are not available; names each, the reason and how to enable it. Or it was
                started in another event loop before.
        """
        self._check_usable()
        async with real_work():
            started = await asyncio.gather(*(zygote.ready() for zygote in self._zygotes), return_exceptions=True)
        for outcome in started:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    async def probe(self) -> None:
        """Locks down a temporary process; zygotes start when code first needs them.

        Raises:
            UserError: As for `start`.
        """
        self._check_usable()
        async with real_work():
            await self._zygotes[0].probe()

    def identity(self) -> Mapping[str, object]:
        """Returns the layers, the limits of a piece and the installed software; known after `probe`."""
        limits = self._settings
        return {
            "sandbox": "jail",
            "version": _VERSION,
            "layers": list(self.layers),
            "timeout": limits.timeout,
            "memory": limits.memory,
            "output_limit": limits.output_limit,
            **versions(),
        }

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a fresh process. Cancelling kills it.

        Raises:
            SandboxError: The zygotes failed, again and again.
        """
        self._check_loop()

        async def once() -> Execution:
            return await (await self._take()).execute(code, keep=False)

        async with real_work(), self._slots:
            return await _persistently(once)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain that starts with the definitions of `history`."""
        return JailChain(self, history)

    async def close(self) -> None:
        """Ends all processes permanently; running and waiting pieces report a failure."""
        for chain in list(self._chains):
            chain.evict()
        while self._parked:
            self._parked.popitem()[1].discard()
        async with real_work():
            await asyncio.gather(*(zygote.close() for zygote in self._zygotes))

    def _check_usable(self) -> None:
        reason = unsupported()
        if reason is not None:
            raise UserError(f"the sandbox cannot lock down this machine: {reason}; only 'sandbox=unsafe' is left")
        self._check_loop()

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise UserError("this sandbox belongs to another event loop: start and use it inside one asyncio.run(...)")

    async def _take(self) -> Child:
        zygote = min(self._zygotes, key=lambda zygote: zygote.load)
        await zygote.ready()
        return zygote.take()

    def _claim(self, history: tuple[str, ...]) -> Child | None:
        """Returns a living process in which exactly `history` ran, None if there is none."""
        child = self._parked.pop(history, None)
        return child if child is not None and child.alive else None

    def _park(self, history: tuple[str, ...], child: Child) -> None:
        """Keeps the process of a closed chain for one that continues the same history."""
        if history in self._parked:
            child.discard()
        else:
            self._parked[history] = child
            self._trim()

    def _touch(self, chain: JailChain) -> None:
        """Marks a chain as the most recently used."""
        self._chains[chain] = None
        self._chains.move_to_end(chain)
        self._trim()

    def _trim(self) -> None:
        """Ends the least recently used processes if there are too many, parked ones first."""
        surplus = len(self._chains) + len(self._parked) - self._live_chains
        while surplus > 0 and self._parked:
            self._parked.popitem(last=False)[1].discard()
            surplus -= 1
        if surplus > 0:
            idle = [other for other in self._chains if not other.running]
            for other in idle[:surplus]:
                other.evict()

    def _forget(self, chain: JailChain) -> None:
        self._chains.pop(chain, None)


async def _persistently(run: Callable[[], Awaitable[Execution]]) -> Execution:
    """Runs a piece again, with another zygote, if it was the jail that failed.

    Raises:
        SandboxError: The jail failed each time, or was closed.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            return await run()
        except ClosedError as closed:
            raise SandboxError(str(closed)) from None
        except (LostError, UserError, OSError) as error:  # lost; cannot be locked down any more; cannot be started
            if not left:
                raise SandboxError(f"the sandbox failed {_ATTEMPTS} times, at last: {error}") from None
    raise AssertionError  # the last attempt returns or raises


class JailChain(Chain):
    """A chain of a `Jail`: its process stays alive between pieces; if lost, it is rebuilt from the pieces that ended."""

    def __init__(self, jail: Jail, history: tuple[str, ...]) -> None:
        self._jail = jail
        self._history = list(history)
        self._child: Child | None = None
        self._turn = asyncio.Lock()

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace."""
        return tuple(self._history)

    @property
    def running(self) -> bool:
        """Whether a piece is running."""
        return self._turn.locked()

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace. Cancelling kills the process; the next piece rebuilds it.

        Raises:
            SandboxError: The zygotes failed, again and again.
        """
        self._jail._check_loop()

        async def once() -> Execution:
            child = await self._living_child()
            self._jail._touch(self)
            execution = await child.execute(code, keep=True)
            if child.alive:
                self._history.append(code)
            return execution

        async with real_work(), self._turn, self._jail._slots:
            return await _persistently(once)

    async def close(self) -> None:
        """Releases the chain's process. Closing twice does nothing."""
        child, self._child = self._child, None
        self._jail._forget(self)
        if child is not None and child.alive and not self.running:
            self._jail._park(tuple(self._history), child)
        elif child is not None:
            child.discard()

    def evict(self) -> None:
        """Ends the process; the next piece rebuilds it."""
        self._jail._forget(self)
        if self._child is not None:
            self._child.discard()
            self._child = None

    async def _living_child(self) -> Child:
        """Returns the chain's process; if there is none, rebuilds it by replaying the pieces that ended.

        Raises:
            LostError: The zygote died, or a piece that ended before did not end in the replay.
        """
        if self._child is not None and self._child.alive:
            return self._child
        self.evict()
        self._child = self._jail._claim(tuple(self._history))
        if self._child is not None:
            return self._child
        self._child = child = await self._jail._take()
        for number, piece in enumerate(self._history, 1):
            await child.execute(piece, keep=True)
            if not child.alive:
                raise LostError(
                    f"the chain could not be rebuilt: its piece {number}, which ended before, did not end in the replay"
                )
        return child
