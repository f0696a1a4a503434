"""The interface of code sandboxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tts.core.errors import ProblemError
from tts.sandbox.completion import completed


class SandboxError(ProblemError):
    """The sandbox itself, and not the code, failed, again and again: this says nothing about the code."""


@dataclass(frozen=True)
class Execution:
    """The outcome of running a piece of code.

    Attributes:
        stdout: Everything that the code printed, cut at the output cap; kept also when the code failed.
        stderr: The same for standard error.
        error_type: Name of the exception that ended the code, None if none did.
        error_message: `str()` of that exception.
        exit_status: The process's exit status (negative: the signal that killed it), None if it stays alive (a chain).
        timed_out: Whether the wall-clock or CPU limit ended it.
        truncated: Whether the output was cut.
        wall_s: Wall-clock seconds.
        cpu_s: CPU seconds of this piece, including the start of its process; 0 if unknown.
        peak_memory: Peak resident bytes of its process so far, including shared pages of loaded packages; 0 if unknown.
        completed: Whether the code is known to have run to its end; only `Sandbox.complete` determines this.
        recorded: Whether it was run earlier, not now; its times and memory are then 0. Ignored in comparisons.
    """

    stdout: str = ""
    stderr: str = ""
    error_type: str | None = None
    error_message: str = ""
    exit_status: int | None = 0
    timed_out: bool = False
    truncated: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory: int = 0
    completed: bool = False
    recorded: bool = field(default=False, compare=False)


class Chain(Protocol):
    """Runs pieces of code one after another in one namespace, as GenPRM's verifications of a solution's steps do."""

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace: those that ended, with an exception or not."""

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace.

        A piece that raises an exception keeps its definitions up to that point. One that times out or ends the process
        leaves nothing: the chain is rebuilt from the pieces that ended.

        Raises:
            SandboxError: The sandbox failed.
        """

    async def close(self) -> None:
        """Releases the chain's process. Closing twice does nothing."""


class Sandbox(Protocol):
    """Runs model-written code."""

    @property
    def executes(self) -> bool:
        """Whether it runs code at all; if not, verifiers use their no-execution mode."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The protection in force, for the record: `namespaces`, `landlock`, `seccomp`, ... Known after `start`."""

    async def start(self) -> None:
        """Starts the sandbox. Starting twice does nothing.

        Raises:
            UserError: This machine cannot be locked down; names each missing layer and how to enable it.
        """

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a new namespace.

        Raises:
            SandboxError: The sandbox failed.
        """

    async def complete(self, code: str) -> Execution:
        """Runs one piece of code in a new namespace, and determines whether it runs to its end (`completed`).

        Code that ends its process early does not complete, whatever it prints; code written to deceive may fake it.
        """
        return await completed(self.chain(), code)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain whose namespace holds the definitions of `history`, pieces that ended (by exception or not).

        The replay of the history is invisible in the output and happens when the first piece runs.
        """

    async def close(self) -> None:
        """Ends all of the sandbox's processes."""


@runtime_checkable
class IdentifiedSandbox(Sandbox, Protocol):
    """A sandbox that reports what outcomes depend on, so that they can be stored and reused (`tts.bank`)."""

    async def probe(self) -> None:
        """Performs the checks of `start`, but leaves nothing running.

        Code can be run after it; the necessary processes are started then.

        Raises:
            UserError: As for `start`.
        """

    def identity(self) -> Mapping[str, object]:
        """Returns everything that outcomes depend on besides the code: plain values, known after `probe`."""
