"""How a request fails: which failures pass, and what the user is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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

_TOO_MANY = 429
_NO_CREDIT = "insufficient_quota"
"""OpenAI's code of an account without credit, sent with the status of a host that is asked too much."""

_UNITS: Mapping[str, float] = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


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
        too_many: Whether the server says that it is asked too much.
    """

    reason: str
    away: bool
    pause: float = 0.0
    too_many: bool = False


def failure_of(response: httpx.Response, reason: str) -> Failure | None:
    """Returns how a response that is no success fails; None if asking again would not help."""
    status = response.status_code
    if status not in AWAY | FAILED or (status == _TOO_MANY and _NO_CREDIT in response.text):
        return None
    pause = retry_after(response.headers.get("retry-after", "")) or reset_after(response.headers)
    return Failure(reason, status in AWAY, pause, status == _TOO_MANY)


def retry_after(value: str) -> float:
    """Returns the seconds that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); else 0."""
    if value.isascii() and value.isdigit():
        return float(value)
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max((date - datetime.now(UTC)).total_seconds(), 0.0)
    return 0.0


def reset_after(headers: Mapping[str, str]) -> float:
    """Returns the seconds until the limits that are used up are lifted (`x-ratelimit-*` as OpenAI sends them), else 0."""
    if milliseconds := headers.get("retry-after-ms", ""):
        return float(milliseconds) / 1000 if milliseconds.isdigit() else 0.0
    used_up = [kind for kind in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max((_seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in used_up), default=0.0)


def _seconds(duration: str) -> float:
    """Returns the seconds of `6m0s`, `1.5s` or `20ms`."""
    return sum(float(value) * _UNITS[unit] for value, unit in re.findall(r"(?<!\d)(\d+(?:\.\d+)?)(ms|h|m|s)", duration))


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
