"""The runtime: owns everything that must be started and closed, for a program, the command line, a worker or a server."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar, Unpack

from tts.budget import Limits, Scope, Usage, now, scope
from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.build import Config
from tts.config.compose import configuration
from tts.core import Problem
from tts.core.errors import UserError
from tts.core.events import Event, listening
from tts.runtime.batch import Ended, Sink, batch
from tts.runtime.choices import Arguments, Choices, choose
from tts.runtime.composition import Composition, compose
from tts.runtime.faults import leaf
from tts.runtime.resources import Resources
from tts.runtime.result import Finished, Result

T = TypeVar("T")
Record = TypeVar("Record")


class _State(enum.Enum):
    NEW = "not entered yet"
    OPEN = "open"
    CLOSED = "closed"


class Runtime:
    """An asynchronous context manager that owns the engines, sandboxes, graders and banks of its searches.

    Equal configurations share one engine. Two runtimes in one process are independent, and closing one frees everything it
    holds, also after an exception or a cancelled start. A runtime belongs to the event loop in which it was entered.
    Objects that the caller made (`engines=`) are started when they are needed and stay open: the caller closes them.

        async with Runtime(bank="bank.sqlite") as runtime:
            result = await runtime.search("What is 17 * 24?", search="beam", n=8)

    Args:
        overrides: Overrides as on the command line (`sandbox=none`), the defaults of all its searches.
        config_dir: A folder with further options, like `--config-dir` of the command line.
        arguments: Keywords instead of overrides (`tts.runtime.choices.Arguments`), also defaults.

    Raises:
        UserError: An argument is unknown, or two arguments contradict each other.
    """

    def __init__(self, *overrides: str, config_dir: str | Path | None = None, **arguments: Unpack[Arguments]) -> None:
        self._defaults = choose(overrides, arguments)
        self._folder = config_dir
        self._state = _State.NEW
        self._resources = Resources()
        self._streams: set[asyncio.Task[Result]] = set()

    async def __aenter__(self) -> Runtime:
        """Opens the runtime; everything is loaded when it is first needed.

        Raises:
            UserError: It was entered before.
        """
        if self._state is not _State.NEW:
            raise UserError(f"this Runtime is {self._state.value} and cannot be entered again: create another one")
        self._state = _State.OPEN
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes everything; searches whose streams are still open are cancelled.

        Raises:
            ExceptionGroup: What could not be closed, unless another exception is already on its way.
        """
        self._state = _State.CLOSED
        # In a task of its own, so that a cancellation meanwhile leaves nothing open.
        closing = asyncio.ensure_future(self._close())
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.wait((closing,))
            except asyncio.CancelledError as interruption:
                cancelled = interruption
        faults = closing.exception()
        if faults is not None and error is not None:
            error.add_note(f"and while closing: {faults!r}")
        if cancelled is not None:
            raise cancelled
        if faults is not None and error is None:
            raise faults

    async def _close(self) -> None:
        for searching in self._streams:
            searching.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self._resources.close()

    @property
    def resources(self) -> Resources:
        """What the runtime owns.

        Raises:
            UserError: The runtime is not open.
        """
        self._check_open()
        return self._resources

    def _check_open(self) -> None:
        if self._state is not _State.OPEN:
            raise UserError(f"this Runtime is {self._state.value}: use it inside `async with Runtime(...) as runtime:`")
        if asyncio._get_running_loop() is not self._loop:
            raise UserError("this Runtime belongs to another event loop; enter one in the loop that uses it")

    def chosen(self, overrides: Iterable[str], arguments: Arguments) -> Choices:
        """Returns the choices of a call merged with the defaults of the runtime; those of the call take precedence.

        Raises:
            UserError: An argument is unknown, or two arguments contradict each other.
        """
        return choose(tuple(overrides), arguments).over(self._defaults)

    def configured(self, choices: Choices, name: str = "config") -> tuple[Config, str]:
        """Returns the configuration that choices describe, and its hash; see `tts.config.compose.configuration`.

        Raises:
            UserError: The runtime is not open, an override names nothing, or `clock=virtual` in a loop of real time.
        """
        self._check_open()
        config, identity = configuration(name, choices.overrides, self._folder)
        if config.get("clock") == "virtual" and not isinstance(self._loop, VirtualLoop):
            raise UserError(
                "clock=virtual: this event loop runs in real time; tts.search and tts.evaluate create one in virtual time, "
                "and so does asyncio.Runner(loop_factory=tts.concurrency.virtual_clock.VirtualLoop)"
            )
        return config, identity

    def composed(self, *overrides: str, **arguments: Unpack[Arguments]) -> Composition:
        """Returns a composed and checked search; nothing is loaded yet.

        Raises:
            UserError: The configuration cannot work.
        """
        choices = self.chosen(overrides, arguments)
        return compose(*self.configured(choices), self.resources, choices)

    async def search(self, problem: str | Problem, *overrides: str, **arguments: Unpack[Arguments]) -> Result:
        """Searches for the answer to one problem.

        Args:
            problem: The question, or a problem.
            overrides: Overrides as on the command line, such as `search.n=8`.
            arguments: Keywords instead of overrides; see `tts.runtime.choices.Arguments`.

        Raises:
            UserError: The search cannot work; nothing was computed.
            ProblemError: The search failed.
        """
        return await self.searched(self.composed(*overrides, **arguments), _problem(problem))

    async def stream(
        self, problem: str | Problem, *overrides: str, **arguments: Unpack[Arguments]
    ) -> AsyncGenerator[Event, None]:
        """Yields the events of a search as they happen (`tts.core.events`), the last one with its result.

        Closing the generator (`contextlib.aclosing`) cancels the search. Arguments and errors: see `search`.
        """
        asked, composition = _problem(problem), self.composed(*overrides, **arguments)
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        async def run() -> Result:
            try:
                with listening(events.put_nowait):
                    return await self.searched(composition, asked)
            finally:
                events.put_nowait(None)

        started = now()
        searching = asyncio.create_task(run())
        self._streams.add(searching)
        searching.add_done_callback(self._streams.discard)
        try:
            while (event := await events.get()) is not None:
                yield event
            yield Finished(asked.id, now() - started, await searching)
        finally:
            searching.cancel()
            await asyncio.gather(searching, return_exceptions=True)

    async def batch(
        self,
        items: Iterable[T],
        work: Callable[[T], Awaitable[Record]],
        sink: Sink[Record],
        key: Callable[[T], Hashable],
        *,
        failed: Callable[[T, str, Scope], Record],
        on_record: Callable[[Ended[Record]], object] = lambda _: None,
        limits: Limits | None = None,
        in_flight: int = 64,
        name: str = "problem",
    ) -> str | None:
        """Works through many items (see `tts.runtime.batch.batch`); the banks are flushed at the end."""
        resources = self.resources
        try:
            return await batch(
                items,
                work,
                sink,
                key,
                failed=failed,
                on_record=on_record,
                limits=limits,
                in_flight=in_flight,
                name=name,
            )
        finally:
            await resources.flush()

    async def searched(self, composition: Composition, problem: Problem) -> Result:
        """Searches by a composition of this runtime (`composed`), which may serve many problems at once.

        Raises:
            UserError: A model, a server or the sandbox is not available.
            ProblemError: The search failed.
        """
        resources = self.resources
        await composition.start(resources)
        try:
            budget = composition.budget
            with scope("run", budget.run), scope("problem", budget.problem, about=problem.question) as meter:
                found = await composition.search(problem)
        except ExceptionGroup as group:
            # Concurrent parts of a search fail as a group; callers catch and read single errors.
            raise leaf(group) from None
        finally:
            await resources.flush()
        usage: Mapping[str, Usage] = meter.usage
        return Result(problem, found, usage, tuple(sorted(meter.hit)), meter.wall_s)


def _problem(given: str | Problem) -> Problem:
    if isinstance(given, Problem):
        return given
    if not isinstance(given, str) or not given.strip():
        raise UserError(f"problem={given!r}: a question as text, or a tts.Problem")
    return Problem("problem", given)
