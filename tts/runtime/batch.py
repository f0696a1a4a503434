"""The one loop for many items: bounded concurrency, a record an item, failures recorded, limits, resumption.

Runs of a search, the judge, the labelling of data and the benchmarks are clients of it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from tts.budget import Limits, Scope, current, scope
from tts.core.errors import ProblemError, RunError, UserError
from tts.core.well_formed import well_formed

_log = logging.getLogger(__name__)

T = TypeVar("T")
Record = TypeVar("Record")
"""JSON values by name; what is kept of an item."""

_PATIENCE = 10
"""Items. When so many have ended, all of them with the same fault, there is no reason to pay for more."""


class Sink(Protocol[Record]):
    """Where records go."""

    @property
    def continued(self) -> bool:
        """Whether it holds records of an earlier run."""

    def claim(self, number: int, key: Hashable) -> Record | None:
        """Returns the record that an earlier run left under a key, each once, and gives it a number; None for none."""

    def settle(self) -> None:
        """Hears that nothing more is claimed: what is left of an earlier run does not count any more."""

    def append(self, number: int, record: Record) -> None:
        """Takes the record of item `number`.

        Raises:
            RunError: It cannot be kept, and further ones could not either.
        """


@dataclass(frozen=True)
class Ended(Generic[Record]):
    """An item has a record.

    Attributes:
        number: The item's place among the items.
        record: Its record.
        kept: Whether an earlier run made it.
    """

    number: int
    record: Record
    kept: bool


async def batch(
    items: Iterable[T],
    work: Callable[[T], Awaitable[Record]],
    sink: Sink[Record],
    key: Callable[[T], Hashable],
    *,
    failed: Callable[[T, str, Scope], Record],
    told: Callable[[Ended[Record]], object] = lambda _: None,
    limits: Limits | None = None,
    in_flight: int = 64,
    name: str = "problem",
) -> str | None:
    """Does the work of every item and keeps a record of each.

    An item whose work fails, by a fault of ours or of a plug-in included, costs that item alone: its record holds the error.
    Where the first `_PATIENCE` items that end all fail in the same way, and nothing was kept of an earlier run, the others
    are cancelled and it ends with that fault. No item is begun once a limit of the scope around it is reached. Where it is
    cancelled, or fails, what was recorded stays recorded.

    Args:
        items: The items; drawn as they are needed, and once more beforehand where an earlier run left records.
        work: From an item to its record; runs in a scope of its own, as `order` the item's number.
        sink: Where records go.
        key: What an item's record of an earlier run is known by.
        failed: From an item, a message and what was spent to the record of an item that failed.
        told: Hears of every record.
        limits: What an item may spend.
        in_flight: How many items are worked on at once; bounds the memory, and with it how full engines' batches are.
            Earlier items go first where they compete for an engine.
        name: What an item is called, for messages and as the name of its limits.

    Returns:
        The limit that kept it from items, None where it came to all of them.

    Raises:
        UserError: An item that could not be checked beforehand is wrong, or the first items all failed in the same way.
        RunError: Something is gone that all items need.
    """
    if in_flight < 1:
        raise UserError(f"in_flight.problems={in_flight}: at least one problem must be worked on at a time")
    if sink.continued and iter(items) is items:
        raise UserError(f"the {name}s can be gone through once only, and twice is needed to go on: give a list of them")
    earlier = enumerate(items) if sink.continued else ()
    kept = {number for number, item in earlier if _claimed(number, key(item), sink, told)}
    numbered = ((number, item) for number, item in enumerate(items) if number not in kept)
    sink.settle()
    # What an earlier run finished has shown that it can be done.
    patience = _Patience(name, over=bool(kept))
    shown: set[Hashable] = set()

    async def one(number: int, item: T) -> None:
        with scope(name, limits or Limits(), number) as meter:
            record, fault = await _recorded(partial(work, item), lambda message: failed(item, message, meter))
        if patience.lost:  # what was in flight when the batch was given up has shown nothing new
            return
        sink.append(number, record)
        told(Ended(number, record, kept=False))
        if fault is not None and fault.unforeseen is not None and fault.kind not in shown:
            shown.add(fault.kind)  # a traceback for each kind of fault, not for each item
            _log.error("%s %d failed", name, number, exc_info=fault.unforeseen)
        patience.ended(fault)
        await asyncio.sleep(0)  # work that never waits must not keep an interruption from being seen

    meter = current()
    await _work_through(numbered, one, in_flight, lambda: patience.lost or meter.reached() is not None)
    limit = meter.reached()
    return limit if limit is not None and next(numbered, None) is not None else None


def _claimed(number: int, key: Hashable, sink: Sink[Record], told: Callable[[Ended[Record]], object]) -> bool:
    record = sink.claim(number, key)
    if record is not None:
        told(Ended(number, record, kept=True))
    return record is not None


async def _work_through(
    numbered: Iterator[tuple[int, T]],
    work: Callable[[int, T], Awaitable[None]],
    in_flight: int,
    over: Callable[[], bool],
) -> None:
    """Does the work of every item, up to `in_flight` at once; begins none once it is over."""

    def cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def worker() -> None:
        # A group of tasks inside may take the cancellation of its task for the end of one of its own: asked again here.
        while not over() and not cancelled():
            for number, item in numbered:
                await work(number, item)
                break
            else:
                return

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(in_flight):
                workers.create_task(worker())
    except BaseExceptionGroup as group:
        raise leaf(group) from None


@dataclass(frozen=True)
class _Fault:
    """Why an item failed.

    Attributes:
        message: In words.
        kind: The same for faults of the same kind: the error's type and where it was raised.
        unforeseen: The error with its traceback, where it is nobody's message but a fault of ours or of a plug-in.
    """

    message: str
    kind: Hashable
    unforeseen: BaseException | None = None


class _Patience:
    """Ends a batch whose first items all fail in the same way."""

    def __init__(self, name: str, over: bool) -> None:
        self._name = name
        self._kind: Hashable = None
        self._alike = 0
        self._over = over
        self.lost = False
        """Whether the batch is given up."""

    def ended(self, fault: _Fault | None) -> None:
        """Hears how an item ended.

        Raises:
            RunError: As all before it.
        """
        if self._over:
            return
        self._over = fault is None or (self._alike > 0 and fault.kind != self._kind)
        if fault is None or self._over:
            return
        self._kind, self._alike = fault.kind, self._alike + 1
        if self._alike == _PATIENCE:
            self.lost = True
            raise RunError(
                f"the first {_PATIENCE} {self._name}s all ended with the same error, and no more were begun: "
                f"{fault.message}; mend that and run the same again"
            )


async def _recorded(
    work: Callable[[], Awaitable[Record]], failed: Callable[[str], Record]
) -> tuple[Record, _Fault | None]:
    """Awaits the record of an item; one that failed comes with its fault.

    Raises:
        RunError: No other item could be worked on either.
    """
    unforeseen: BaseException | None = None
    try:
        return await _told_from_outside(work), None
    except* RunError:
        raise
    except* (ProblemError, UserError) as group:
        error = leaf(group)
        message = str(error)
    except* Exception as group:
        unforeseen = group
        error = leaf(group)
        message = f"{type(error).__name__}: {error}"
    message = well_formed(message)
    return failed(message), _Fault(message, _kind(error), unforeseen)


def _kind(error: BaseException) -> Hashable:
    raised = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error), *((frame.filename, frame.lineno) for frame in raised)


async def _told_from_outside(work: Callable[[], Awaitable[T]]) -> T:
    """Awaits an item's work; a cancellation that nobody asked for is an error like others, and must not end the worker."""
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ProblemError("a part of the search was cancelled from inside") from None


def leaf(error: BaseException) -> BaseException:
    """Returns the first of the errors of a group, and of the groups in it; an error that is no group as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
