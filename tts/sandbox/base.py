"""The one interface of code sandboxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tts.sandbox.completion import completed


@dataclass(frozen=True)
class Execution:
    """What came of running a piece of code.

    Attributes:
        stdout: Everything that the code printed, cut at the output cap; kept also when the code failed.
        stderr: The same for standard error.
        error_type: Name of the exception that ended the code, None where none did.
        error_message: `str()` of that exception.
        exit_status: The process's exit status (negative: the signal that killed it), None where it lives on (a chain).
        timed_out: Whether the wall-clock or CPU limit ended it.
        truncated: Whether the output was cut.
        wall_s: Wall-clock seconds.
        cpu_s: CPU seconds of this piece, the start of its process included; 0 where unknown.
        peak_memory: The most resident bytes that its process has had so far, the shared pages of loaded packages
            included; 0 where unknown.
        failure: Why the sandbox itself could not run the code (a lost zygote), None where it could.
        completed: Whether the code is known to have run to its end; only `Sandbox.complete` finds that out.
        recorded: Whether it was run before and not now; all that it cost is then 0. Two outcomes that differ in this alone
            are equal.
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
    failure: str | None = None
    completed: bool = False
    recorded: bool = field(default=False, compare=False)


class Chain(Protocol):
    """Runs pieces of code one after another in one namespace, as GenPRM's verifications of a solution's steps do."""

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace: those that ended, by an exception or not."""

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace.

        A piece that raised an exception leaves what it had defined until then. One that timed out, or took the process with
        it, leaves nothing: the chain is rebuilt from the pieces that ended.
        """

    async def close(self) -> None:
        """Gives the chain's process back. Closing twice does nothing."""


class Sandbox(Protocol):
    """A place in which model-written code runs."""

    @property
    def executes(self) -> bool:
        """Whether code is run at all; verifiers then use it, else they run in their no-execution mode."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The protection in force, for the record: `namespaces`, `landlock`, `seccomp`, ... Known after `start`."""

    async def start(self) -> None:
        """Starts the sandbox. Starting twice does nothing.

        Raises:
            UserError: It cannot lock down here; names each missing layer and how to enable it.
        """

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a namespace of its own."""

    async def complete(self, code: str) -> Execution:
        """Runs one piece of code in a namespace of its own, and finds out whether it runs to its end (`completed`).

        Code that ends its process early has not, whatever it prints; code made to deceive can.
        """
        return await completed(self.chain(), code)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain whose namespace holds what `history` (pieces that ended, by an exception or not) defined.

        The replay of the history is invisible in the output and happens when the first piece runs.
        """

    async def close(self) -> None:
        """Ends all of the sandbox's processes."""


@runtime_checkable
class IdentifiedSandbox(Sandbox, Protocol):
    """A sandbox that can tell what the outcome of code depends on, so that it can be kept and used again (`tts.bank`)."""

    async def probe(self) -> None:
        """Finds out all that `start` would and refuses what it would, but starts nothing that stays.

        Code can be run after it, too; what that needs is started then.

        Raises:
            UserError: As `start`.
        """

    def identity(self) -> Mapping[str, object]:
        """Returns all that outcomes depend on besides the code: plain values, known after `probe`."""
