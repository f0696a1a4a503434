"""Actors that are made and ended without stopping everything else.

Ray's calls wait for the head node: a minute, if that is gone. So they are made in threads, each in one of its own, for which
the end of the process does not wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import ray


async def made(make: Callable[[], ray.actor.ActorHandle]) -> ray.actor.ActorHandle:
    """Returns a new actor; if nobody waits for it any more it is ended.

    Args:
        make: Makes it.
    """
    loop = asyncio.get_running_loop()
    actor: asyncio.Future[ray.actor.ActorHandle] = loop.create_future()

    def work() -> None:
        try:
            done = make()
        except Exception as error:
            _tell(loop, partial(_fail, actor, error))
        else:
            _tell(loop, partial(_hand_over, actor, done))

    _aside(work)
    return await actor


def dismiss(actor: ray.actor.ActorHandle) -> None:
    """Ends an actor, soon."""
    _aside(partial(ray.kill, actor))


def _aside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="actor", daemon=True).start()


def _hand_over(actor: asyncio.Future[ray.actor.ActorHandle], done: ray.actor.ActorHandle) -> None:
    if actor.done():  # cancelled
        dismiss(done)
    else:
        actor.set_result(done)


def _fail(actor: asyncio.Future[ray.actor.ActorHandle], error: Exception) -> None:
    if not actor.done():
        actor.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, say: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop is closed: so is the connection
        loop.call_soon_threadsafe(say)
