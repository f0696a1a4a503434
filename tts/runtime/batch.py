"""The one loop for many items: bounded concurrency, a record an item, failures recorded, limits, resumption.

Runs of a search, the judge, the labelling of data and the benchmarks are clients of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from tts.budget import Limits, Scope, current, scope
from tts.core.errors import RunError, UserError
from tts.runtime.faults import Fault, attempt, leaf

_log = logging.getLogger(__name__)

T = TypeVar("T")
Record = TypeVar("Record")
"""What is stored of an item: JSON values by name."""

_PATIENCE = 10
"""Items. After this many have failed, all with the same fault, paying for more is pointless."""


class Sink(Protocol[Record]):
    """Stores records."""

    @property
    def continued(self) -> bool:
        """Whether it holds records of an earlier run, which is resumed."""

    def claim(self, number: int, key: Hashable) -> Record | None:
        """Returns the record that an earlier run stored under a key and assigns it a number; None if there is none left."""

    def settle(self) -> None:
        """Discards the records of the earlier run that were not claimed."""

    def append(self, number: int, record: Record) -> None:
        """Stores the record of item `number`.

        Raises:
            RunError: It cannot be stored, and neither could further ones.
        """


@dataclass(frozen=True)
class Ended(Generic[Record]):
    """An item that has its record.

    Attributes:
        number: The index of the item.
        record: Its record.
        kept: Whether the record is from an earlier run.
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
    on_record: Callable[[Ended[Record]], object] = lambda _: None,
    limits: Limits | None = None,
    in_flight: int = 64,
    name: str = "problem",
) -> str | None:
    """Works through items and stores a record of each.

    A failure, also one caused by a bug in a plug-in, costs one item only: its record holds the error. If the first
    `_PATIENCE` items all fail in the same way, and nothing was resumed, the rest is cancelled and the batch raises that
    fault. No item is started after a limit of the enclosing scope is reached. After a cancellation or an error, everything
    recorded stays recorded.

    Args:
        items: The items, consumed lazily; iterated twice when an earlier run is resumed.
        work: Makes the record of an item. Runs in a budget scope of its own, whose order is the index of the item.
        sink: Stores the records.
        key: Identifies the record of an item in an earlier run.
        failed: Makes the record of a failed item from the item, the message and the scope that metered it.
        on_record: Called with every record.
        limits: The budget of an item.
        in_flight: Number of items in progress at once. Bounds the memory and how full the batches of engines get. Earlier
            items have priority at the engines.
        name: What an item is called in messages, and the name of its budget scope.

    Returns:
        The limit that left items undone, None if all were done.

    Raises:
        UserError: An item is invalid, or items that can be iterated only once are to be resumed.
        RunError: Something that all items need is lost, or the first items all failed in the same way.
    """
    if in_flight < 1:
        raise UserError(f"in_flight.problems={in_flight}: at least one problem must be in progress at a time")
    if sink.continued and iter(items) is items:
        raise UserError(f"the {name}s can be iterated only once, and resuming needs to iterate them twice: give a list")
    earlier = enumerate(items) if sink.continued else ()
    kept = {number for number, item in earlier if _claimed(number, key(item), sink, on_record)}
    numbered = ((number, item) for number, item in enumerate(items) if number not in kept)
    sink.settle()
    # A record of an earlier run proves that the work can succeed.
    patience = _Patience(name, over=bool(kept))
    shown: set[str] = set()

    async def one(number: int, item: T) -> None:
        with scope(name, limits or Limits(), number, f"{name} {number}") as meter:
            made = await attempt(partial(work, item))
            fault = made if isinstance(made, Fault) else None
            record = failed(item, made.message, meter) if isinstance(made, Fault) else made
        if patience.lost:  # in flight when the batch was given up: nothing new
            return
        sink.append(number, record)
        on_record(Ended(number, record, kept=False))
        if fault is not None and fault.trace is not None and fault.kind not in shown:
            shown.add(fault.kind)  # a traceback for each kind of fault, not for each item
            _log.error("%s %d failed\n%s", name, number, fault.trace.rstrip("\n"))
        patience.ended(fault)
        await asyncio.sleep(0)  # lets an interruption through even if the work never awaits

    meter = current()
    await _work_through(numbered, one, in_flight, lambda: patience.lost or meter.reached() is not None)
    limit = meter.reached()
    return limit if limit is not None and next(numbered, None) is not None else None


def _claimed(number: int, key: Hashable, sink: Sink[Record], on_record: Callable[[Ended[Record]], object]) -> bool:
    record = sink.claim(number, key)
    if record is not None:
        on_record(Ended(number, record, kept=True))
    return record is not None


async def _work_through(
    numbered: Iterator[tuple[int, T]],
    work: Callable[[int, T], Awaitable[None]],
    in_flight: int,
    over: Callable[[], bool],
) -> None:
    """Works through the items, up to `in_flight` at once; starts none once `over`."""

    def cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def worker() -> None:
        # A task group inside the work may swallow a cancellation of this task: checked again here.
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


class _Patience:
    """Gives up a batch whose first items all fail in the same way."""

    def __init__(self, name: str, over: bool) -> None:
        self._name = name
        self._kind: str | None = None
        self._alike = 0
        self._over = over
        self.lost = False
        """Whether the batch was given up."""

    def ended(self, fault: Fault | None) -> None:
        """Takes note of how an item ended.

        Raises:
            RunError: It was the last of `_PATIENCE` equal failures.
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
                f"the first {_PATIENCE} {self._name}s all failed with the same error, and no more were started: "
                f"{fault.message}; fix that and run the same command again"
            )
