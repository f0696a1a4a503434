"""A search as a stream of its events, with signs of life between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Final, Generic, TypeVar

from tts.core.events import Event, Sink

T = TypeVar("T")


class Heartbeat:
    """Nothing has happened for a while."""


class Ended(Generic[T]):
    """The last item of a stream.

    Args:
        value: The result.
    """

    def __init__(self, value: T) -> None:
        self.value = value


_HEARTBEAT: Final = Heartbeat()


async def following(
    work: Callable[[Sink], Coroutine[None, None, T]], every: float
) -> AsyncGenerator[Event | Heartbeat | Ended[T], None]:
    """Yields the events of `work`, and its result; closing the generator cancels it.

    Args:
        work: Runs a search that tells its events to the given listener.
        every: Seconds without an event until a sign of life.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.create_task(work(events.put_nowait))
    task.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while True:
            try:
                async with asyncio.timeout(every):
                    event = await events.get()
            except TimeoutError:
                yield _HEARTBEAT
                continue
            if event is None:
                break
            yield event
        yield Ended(await task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
