"""Where the items of a job are worked on: the interface, and this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from tts.config.build import Config
from tts.core.json import JsonObject

if TYPE_CHECKING:
    from tts.runtime.resources import Resources

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")


class Work(Protocol[T_contra, R_co]):
    """What a job does with each of its items: the part of it that an executor can do in other processes.

    Items and results cross processes. The cost of an item is charged to the scope that `do` runs in.
    """

    @property
    def in_flight(self) -> int:
        """Number of items in progress at once; known once it has started."""

    async def start(self) -> JsonObject:
        """Starts everything it needs; returns what the job's summary says of that.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """

    async def do(self, item: T_contra) -> R_co:
        """Does the work on one item.

        Raises:
            ProblemError: The item failed.
            LimitReached: Its budget is used up, and nothing can be said of it.
        """

    def counts(self) -> Mapping[str, int]:
        """Returns what it has counted so far besides the results, by name."""

    def account(self) -> JsonObject:
        """Returns entries of the job's summary about how the work was done."""

    def standing(self) -> str:
        """Returns who is at work, for a line of progress; an empty text for this process."""


class BaseWork:
    """Defaults for work of this process that counts nothing."""

    def counts(self) -> Mapping[str, int]:
        """Returns nothing."""
        return {}

    def account(self) -> JsonObject:
        """Returns nothing."""
        return {}

    def standing(self) -> str:
        """Returns an empty text."""
        return ""


Copy = Callable[["Resources"], Work[T, R]]
"""Composes work from the resources of the process that it is called in. It crosses processes: a function of a module, or a
`functools.partial` of one."""


class Executor(Protocol):
    """Does work, here or elsewhere."""

    def check(self, config: Config) -> None:
        """Checks that it can do the work that a configuration describes; starts nothing.

        Raises:
            UserError: It cannot.
        """

    def at_work(
        self, work: Work[T, R], copy: Copy[T, R] | None, config: Config
    ) -> AbstractAsyncContextManager[Work[T, R]]:
        """Returns a context with work that does the same as the given one, wherever the executor has it done.

        Args:
            work: The work, composed and not started.
            copy: Composes the same in another process; None if it has objects of the caller, which cannot be.
            config: The configuration that it was composed from.

        Raises:
            UserError: The executor cannot do this work.
        """

    async def close(self) -> None:
        """Frees everything."""


class LocalExecutor:
    """Does the work in this process."""

    def check(self, config: Config) -> None:
        """Does nothing: this process can do all work."""

    @asynccontextmanager
    async def at_work(self, work: Work[T, R], copy: Copy[T, R] | None, config: Config) -> AsyncIterator[Work[T, R]]:
        """Returns a context with the work itself."""
        yield work

    async def close(self) -> None:
        """Does nothing."""
