"""Workers that may be lost at any time, and items that are not.

An item whose worker is lost is done again by another. Which item a worker died of is not known if it had many, so those of a
lost worker share the next one with few others, and the one after that with none: an item that kills its workers fails after
three of them and takes no other along, and one that was there by chance is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from tts.core.errors import ProblemError, RunError

_log = logging.getLogger(__name__)

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")

_DEATHS = 3
"""Workers that an item may lose until it counts as the cause."""
_TRIES = 3
"""Workers in a row that may be lost in one place of a crew before they can begin, until the place stays empty."""


class LostError(Exception):
    """A worker is gone; says how."""


class Worker(Protocol[T_contra, R_co]):
    """Does items, several at once."""

    @property
    def in_flight(self) -> int:
        """Number of items that it takes at once."""

    async def do(self, item: T_contra) -> R_co:
        """Does one item.

        Raises:
            LostError: The worker is gone.
        """


Hire = Callable[[int], Awaitable[Worker[T, R]]]
"""Returns a new worker for a place of the crew, ready for items.

Raises UserError if it cannot work, and LostError if it was lost before it could.
"""


@dataclass
class Losses:
    """What was lost and done again.

    Attributes:
        workers: Number of workers lost.
        items: Number of times that an item was begun again.
    """

    workers: int = 0
    items: int = 0


@dataclass(eq=False)
class _Post(Generic[T, R]):
    """A worker of the crew.

    Attributes:
        worker: The worker.
        held: For each item that it has in progress, the number of workers that the item lost before.
        lost: Set when the worker is gone.
        how: How it was lost.
    """

    worker: Worker[T, R]
    held: list[int] = field(default_factory=list)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    how: str = ""

    def takes(self, deaths: int) -> bool:
        """Whether it takes another item, which lost this many workers before."""
        shared_by = min(self._share(each) for each in {deaths, *self.held})
        return not self.lost.is_set() and len(self.held) < shared_by

    def _share(self, deaths: int) -> int:
        """Returns how many items may share a worker with one that lost this many before: all, a few, none."""
        return max(1, int(self.worker.in_flight ** (1 - deaths / (_DEATHS - 1))))


class Crew(Generic[T, R]):
    """A number of workers; each that is lost is replaced.

    Args:
        hire: Returns a new worker.
        size: Number of workers.
        name: What an item is called in messages.

    Attributes:
        losses: What was lost.
    """

    def __init__(self, hire: Hire[T, R], size: int, name: str = "problem") -> None:
        self._hire = hire
        self._name = name
        self._posts: list[_Post[T, R]] = []
        self._waiting: tuple[deque[asyncio.Future[_Post[T, R]]], ...] = tuple(deque() for _ in range(_DEATHS))
        self._size = size
        self._places: list[asyncio.Task[None]] = []
        self._first: asyncio.Future[Worker[T, R]] = asyncio.get_running_loop().create_future()
        self._given_up: RunError | None = None
        self.losses = Losses()

    @property
    def present(self) -> int:
        """Number of workers that take items."""
        return len(self._posts)

    @property
    def waiting(self) -> int:
        """Number of items that wait for a worker."""
        return sum(map(len, self._waiting))

    def busy(self) -> Iterator[tuple[Worker[T, R], int]]:
        """Yields the workers that take items, each with the number of those that it has in progress."""
        return ((post.worker, len(post.held)) for post in self._posts)

    async def start(self) -> Worker[T, R]:
        """Hires the workers, and returns the first that is ready; the others follow as they can.

        Raises:
            UserError: None can work.
            RunError: All were lost.
        """
        self._places = [asyncio.create_task(self._fill(place)) for place in range(self._size)]
        return await self._first

    async def do(self, item: T) -> R:
        """Has an item done.

        Raises:
            ProblemError: It lost one worker after the other.
            RunError: No worker is left.
        """
        for deaths in range(_DEATHS):
            async with self._post(deaths) as post:
                try:
                    return await post.worker.do(item)
                except LostError as error:
                    how = post.how = str(error)
                    post.lost.set()
            if deaths + 1 < _DEATHS:
                self.losses.items += 1
        raise ProblemError(
            f"{_DEATHS} workers were lost while they had this {self._name}, the last of them with nothing else: {how}"
        )

    def give_up(self, cause: RunError) -> None:
        """Takes no more items: those that wait for a worker, and all later ones, fail."""
        self._given_up = cause
        for level in self._waiting:
            while level:
                if not (place := level.popleft()).done():
                    place.set_exception(cause)

    async def close(self) -> None:
        """Hires no more."""
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)
        if self._first.done() and not self._first.cancelled():
            self._first.exception()  # whoever waited for it has gone

    @asynccontextmanager
    async def _post(self, deaths: int) -> AsyncIterator[_Post[T, R]]:
        """Takes a place at a worker, as soon as there is one."""
        if self._given_up is not None:
            raise self._given_up
        place: asyncio.Future[_Post[T, R]] = asyncio.get_running_loop().create_future()
        self._waiting[deaths].append(place)
        self._assign()
        try:
            post = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._leave(place.result(), deaths)
            else:
                with suppress(ValueError):
                    self._waiting[deaths].remove(place)
            raise
        try:
            yield post
        finally:
            self._leave(post, deaths)

    def _leave(self, post: _Post[T, R], deaths: int) -> None:
        post.held.remove(deaths)
        self._assign()

    def _assign(self) -> None:
        """Gives places to those who wait, first to those that lost most workers."""
        for deaths in reversed(range(_DEATHS)):
            waiting = self._waiting[deaths]
            while waiting and (posts := [post for post in self._posts if post.takes(deaths)]):
                place = waiting.popleft()
                if not place.done():  # cancelled, and not told yet
                    post = min(posts, key=lambda post: len(post.held))
                    post.held.append(deaths)
                    place.set_result(post)

    async def _fill(self, place: int) -> None:
        """Keeps one place filled."""
        tries, cause = 0, Exception()
        while tries < _TRIES:
            try:
                worker = await self._hire(place)
            except LostError as error:
                tries, cause = tries + 1, RunError(f"{_TRIES} workers were lost before they could begin: {error}")
                self.losses.workers += 1
                continue
            except Exception as error:  # all workers are alike: the next one would say the same
                cause = error
                break
            tries, post = 0, _Post(worker)
            self._posts.append(post)
            if not self._first.done():
                self._first.set_result(worker)
            self._assign()
            await post.lost.wait()
            self._posts.remove(post)
            self.losses.workers += 1
            _log.warning("a worker was lost, and what it had is begun again: %s", post.how)
        self._size -= 1
        self._leave_empty(cause)

    def _leave_empty(self, cause: Exception) -> None:
        """Goes on without a place, or, if it was the last, gives up."""
        if self._size:
            _log.warning("going on with %d of the workers: %s", self._size, cause)
            return
        if not self._first.done():
            self._first.set_exception(cause)
        self.give_up(RunError(f"no worker is left: {cause}"))
