"""Replies of actors, which may be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from ray.exceptions import RayError, RayTaskError

from tts.executors.crew import LostError

T = TypeVar("T")

_ENDING: Final = 30.0
"""Seconds that actors have to end what they do."""


async def reply_of(reply: Awaitable[T]) -> T:
    """Returns an actor's reply.

    Raises:
        LostError: The actor is gone.
    """
    try:
        return await reply
    except RayTaskError:  # an error of the method itself
        raise
    except RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise LostError(lines[0] if lines else type(error).__name__) from None


async def all_of(replies: Sequence[Awaitable[object]]) -> None:
    """Waits for actors, also those that are gone."""
    if replies:
        await asyncio.wait([asyncio.ensure_future(_ended(reply)) for reply in replies], timeout=_ENDING)


async def _ended(reply: Awaitable[object]) -> None:
    with suppress(LostError, RayTaskError):  # it is gone, and what it had stored is stored
        await reply_of(reply)
