"""When attempts are sent: at once, or as a host's limits allow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from tts.engines.http.failures import Failure
from tts.engines.logprobs import Wire

_T = TypeVar("_T")


class Turn(Protocol):
    """A request with its retries, which keeps its place in the queue."""

    async def send(self, attempt: Callable[[], Awaitable[_T | Failure]]) -> _T | Failure:
        """Makes an attempt as soon as it may be made, and returns its outcome."""
        ...

    def answered(self, answer: Wire) -> None:
        """Is told the answer of the attempt under way, which says what it took."""
        ...


class Pace(Protocol):
    """Decides when attempts are made."""

    def queue(self, tokens: int) -> Turn:
        """Returns the turn of a request that can take so many tokens, behind all earlier ones."""
        ...


class AtOnce:
    """Lets every attempt be made when it is wanted."""

    def queue(self, tokens: int) -> Turn:
        """Returns itself."""
        return self

    async def send(self, attempt: Callable[[], Awaitable[_T | Failure]]) -> _T | Failure:
        """Makes the attempt."""
        return await attempt()

    def answered(self, answer: Wire) -> None:
        """Does nothing."""
