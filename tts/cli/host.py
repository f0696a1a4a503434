"""The event loop and the runtime of a command-line process, shared by all of its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

from tts.cli.interruption import Interruption
from tts.runtime.clocks import CLOCKS
from tts.runtime.resources import Resources
from tts.runtime.runtime import Runtime

T = TypeVar("T")


class Host:
    """Runs jobs one after the other; later jobs reuse engines, sandbox and grader.

    A Hydra launcher may send copies to its own processes; a copy becomes its process's only host.

    Attributes:
        interruption: Cancels the running job.
    """

    def __init__(self) -> None:
        self.interruption = Interruption()
        self._loop: asyncio.Runner | None = None
        self._runtime: Runtime | None = None

    def __reduce__(self) -> tuple[Callable[[], Host], tuple[()]]:
        return _host_of_this_process, ()

    def run(self, clock: str, job: Callable[[Resources], Awaitable[T]]) -> T:
        """Runs a job.

        Args:
            clock: `real`, or `virtual` for a separate event loop and runtime, whose time begins at 0.
            job: Receives the runtime's resources.

        Raises:
            KeyboardInterrupt: A signal ended the job, or came before it.
        """
        if self.interruption.told:
            raise KeyboardInterrupt
        try:
            if clock == "virtual":
                with asyncio.Runner(loop_factory=CLOCKS[clock]) as loop:
                    return loop.run(self.interruption.cancelling(_alone(job)))
            if self._loop is None or self._runtime is None:
                self._loop, self._runtime = asyncio.Runner(), Runtime()
                self._loop.run(self._runtime.__aenter__())
            return self._loop.run(self.interruption.cancelling(_within(self._runtime, job)))
        except asyncio.CancelledError:
            if self.interruption.told:
                raise KeyboardInterrupt from None
            raise

    def close(self) -> None:
        """Frees everything; closing twice does nothing."""
        loop, runtime = self._loop, self._runtime
        self._loop = self._runtime = None
        if loop is not None and runtime is not None:
            with loop:
                loop.run(runtime.__aexit__(None, None, None))


async def _within(runtime: Runtime, job: Callable[[Resources], Awaitable[T]]) -> T:
    return await job(runtime.resources)


async def _alone(job: Callable[[Resources], Awaitable[T]]) -> T:
    async with Runtime() as runtime:
        return await job(runtime.resources)


@cache
def _host_of_this_process() -> Host:
    """Returns the host shared by the cells that a launcher sends to this process, which nothing else could hold."""
    return Host()
