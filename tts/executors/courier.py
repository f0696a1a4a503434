"""Errands to a worker and replies from it, in as few messages as their speed allows.

A message takes all errands that are ready to leave, and is answered once there is a reply, or the next message has come. So
slow items cost a message each, and quick ones share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Final, Generic, TypeVar

from tts.executors.crew import LostError
from tts.executors.messages import Errand, Reply

T = TypeVar("T")
R = TypeVar("R")

_PAUSE: Final = 0.001
"""Seconds in which whoever got a reply has the next errand."""


class Courier(Generic[T, R]):
    """Takes errands to a worker.

    Args:
        send: Takes numbered errands there, and returns with numbered replies: of these or of earlier ones, or none.
    """

    def __init__(
        self, send: Callable[[Sequence[tuple[int, Errand[T]]]], Awaitable[Sequence[tuple[int, Reply[R]]]]]
    ) -> None:
        self._send = send
        self._numbers = count()
        self._ready: list[tuple[int, Errand[T]]] = []
        self._pending: dict[int, asyncio.Future[Reply[R]]] = {}
        self._away: set[asyncio.Task[None]] = set()
        self._lost: str | None = None

    async def do(self, errand: Errand[T]) -> Reply[R]:
        """Has an errand done.

        Raises:
            LostError: The worker is gone.
        """
        if self._lost is not None:
            raise LostError(self._lost)
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        reply: asyncio.Future[Reply[R]] = loop.create_future()
        self._pending[number] = reply
        if not self._ready:
            loop.call_soon(self._leave)
        self._ready.append((number, errand))
        try:
            return await reply
        finally:
            del self._pending[number]

    def fail(self, why: Callable[[], Exception]) -> None:
        """Fails the errands in progress."""
        self._ready.clear()
        for reply in self._pending.values():
            if not reply.done():
                reply.set_exception(why())

    def _leave(self) -> None:
        """Sends a message if there is something to take, or nobody is there to bring what is to come."""
        if self._ready or (self._pending and not self._away):
            taken, self._ready = self._ready, []
            message = asyncio.get_running_loop().create_task(self._travel(taken))
            self._away.add(message)

    async def _travel(self, taken: Sequence[tuple[int, Errand[T]]]) -> None:
        try:
            replies = await self._send(taken)
        except LostError as error:
            self._lost = str(error)
            self.fail(lambda: LostError(self._lost))
        except Exception as error:
            failure = error
            self.fail(lambda: failure)
        else:
            for number, reply in replies:
                if number in self._pending and not self._pending[number].done():
                    self._pending[number].set_result(reply)
        finally:
            self._away.discard(asyncio.current_task())
        if self._pending:
            asyncio.get_running_loop().call_later(_PAUSE, self._leave)
