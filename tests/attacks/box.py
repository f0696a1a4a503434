"""The jail behind a synchronous face, for everything that attacks it.

`make_box()` is also the factory for harnesses of other people. Two environment variables choose what they attack:
`SANDBOX_MODE` is the jail's mode (default `auto`), and `SANDBOX_CHAIN=1` makes every piece the later one of a fresh chain.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tts.sandbox.base import Execution, SandboxError
from tts.sandbox.jail import Jail

Outcome = TypeVar("Outcome")

# One jail with one limit for all pieces. A jail has its limit from its constructor, so a jail per limit would be the only
# way to grant each piece its own: then the piece that looks for damage after an attack would run in a jail that was not
# attacked. This is the limit that attacks get; it is more than a hundred times what an honest piece here needs.
LIMIT = 2.0  # seconds
LIVE = 2  # chains that keep their process: the one that runs, and beside it the one that attacked before


@dataclass(frozen=True)
class Result:
    """What came of a piece.

    Attributes:
        out: Its standard output.
        err: Its standard error, then type and message of the exception that ended it, or why the jail could not run it.
        why: `timeout` where a limit ended it.
        rc: Its exit status; for a chain, whose process lives on, 1 after an exception and 0 otherwise.
        wall: Wall-clock seconds.
        cpu: CPU seconds, 0 where unknown.
        rss: Peak memory in KiB, 0 where unknown.
        truncated: Whether output was cut.
    """

    out: str = ""
    err: str = ""
    why: str | None = None
    rc: int | None = None
    wall: float = 0.0
    cpu: float = 0.0
    rss: int = 0
    truncated: bool = False


def _result(execution: Execution) -> Result:
    ending = "" if execution.error_type is None else f"{execution.error_type}: {execution.error_message}\n"
    status = execution.exit_status
    if status is None:
        status = 0 if execution.error_type is None else 1
    return Result(
        out=execution.stdout,
        err=execution.stderr + ending,
        why="timeout" if execution.timed_out else None,
        rc=status,
        wall=execution.wall_s,
        cpu=execution.cpu_s,
        rss=execution.peak_memory >> 10,
        truncated=execution.truncated,
    )


class Box:
    """A `Jail` of one zygote, so that what hurts the zygote hurts the next piece, on an event loop in its own thread."""

    # A message in the jail's own format, with which code can try to pass off a result of its choice as true.
    forgery = b'{"type": null, "message": "FORGED", "lost": false}'

    # Shows whether the attack before has damaged anything that is not its own; prints "4 2".
    probe = "import fractions, sympy\nprint(sympy.Integer(2) + int(fractions.Fraction(1) + 1), len('ab'))"

    def __init__(self, mode: str, chain: bool, limit: float) -> None:
        """Starts the jail.

        Args:
            mode: The jail's mode.
            chain: Whether each piece runs as the later one of a fresh chain, while the chain before it still lives.
            limit: Seconds that the jail gives a piece.

        Raises:
            UserError: This machine does not allow the mode.
        """
        self._chain = chain
        self._jail = Jail(mode=mode, workers=1, timeout=limit, live_chains=LIVE)
        self._limit = limit
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._zygote: int | None = None
        self.restarts = 0
        try:
            self._wait(self._jail.start())
        except BaseException:
            self.close()
            raise
        self.layers = self._jail.layers
        for number in range(LIVE):  # from here on there are as many processes as there will be
            self.run(str(number))
        self.restarts = 0

    def run(self, code: str, timeout: float | None = None) -> Result:
        """Runs a piece.

        Args:
            code: The piece.
            timeout: Seconds; more than the jail's own limit are cut to it, with fewer the output of what is ended is lost.
        """
        shorter = timeout if timeout is not None and timeout < self._limit else None
        try:
            result = _result(self._wait(asyncio.wait_for(self._run(code), shorter)))
        except TimeoutError:
            result = Result(why="timeout", wall=shorter or self._limit)
        except SandboxError as error:
            result = Result(err=str(error), why="lost")
        self._count_restarts()
        return result

    def recover(self, processes: set[int]) -> None:
        """Does nothing: damage shall go on showing."""

    def close(self) -> None:
        """Ends the jail and its thread."""
        self._wait(self._jail.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _run(self, code: str) -> Execution:
        if not self._chain:
            return await self._jail.run(code)
        chain = self._jail.chain()
        await chain.run("earlier = 1")
        try:
            return await chain.run(code)
        finally:
            await chain.close()

    def _count_restarts(self) -> None:
        # The jail hides restarts; that its zygote is another process than before is the one sign of them.
        process = self._jail._zygotes[0].process_id
        self.restarts += process != self._zygote and process is not None
        self._zygote = process or self._zygote

    def _wait(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def make_box(limit: float = LIMIT) -> Box:
    """Returns a box as the environment variables say.

    Args:
        limit: Seconds that a piece gets.

    Raises:
        UserError: This machine does not allow the mode.
    """
    return Box(os.environ.get("SANDBOX_MODE", "auto"), os.environ.get("SANDBOX_CHAIN", "0") == "1", limit)
