"""How a request fails: which failures pass, and what the user is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from errno import EMFILE, ENFILE

import httpx

from tts.core.errors import EngineError

AWAY = frozenset({425, 429, 502, 503, 504})
"""Statuses of a server that is busy, starting, or unreachable for its proxy."""

FAILED = frozenset({408, 409, 500})
"""Statuses of a request that failed and may succeed when retried."""


class RefusedError(EngineError):
    """The server rejected the request; a retry would not help.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)  # the arguments that unpickling passes
        self.status = status

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed.

    Attributes:
        reason: For the user.
        away: Whether the whole server is unavailable, rather than this request having failed on it.
        pause: Seconds that the server asks the client to wait.
    """

    reason: str
    away: bool
    pause: float = 0.0


def retry_after(value: str) -> float:
    """Returns the seconds that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); else 0."""
    if value.isascii() and value.isdigit():
        return float(value)
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max((date - datetime.now(UTC)).total_seconds(), 0.0)
    return 0.0


def explain(error: httpx.HTTPError) -> str:
    """Says what went wrong with a request, for the user."""
    if any(isinstance(cause, OSError) and cause.errno in (EMFILE, ENFILE) for cause in _causes(error)):
        return "too many open connections: raise the limit of open files (ulimit -n) or send fewer requests at once"
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        yield from _causes(error.__cause__ or error.__context__)
