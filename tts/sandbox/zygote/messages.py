"""Messages between a zygote and its supervisor, kept small: a zygote's allocations cost copied pages."""

from __future__ import annotations

import struct
from typing import NamedTuple

FORK, KILL = 0, 1

_REQUEST = struct.Struct("<BI")
_REPORT = struct.Struct("<IidQ")
LIMIT = _REPORT.size  # bytes of a message


class End(NamedTuple):
    """How a child ended.

    Attributes:
        number: The supervisor's number for it.
        status: Exit status; negative: the signal that killed it.
        cpu: CPU seconds.
        memory: Peak resident bytes.
    """

    number: int
    status: int
    cpu: float
    memory: int


def request(what: int, number: int) -> bytes:
    """Returns the message that requests a fork or kill of child `number`."""
    return _REQUEST.pack(what, number)


def read_request(message: bytes) -> tuple[int, int]:
    """Returns what is requested, and for which child."""
    what, number = _REQUEST.unpack(message)
    return what, number


def report(number: int, status: int, cpu: float, memory: int) -> bytes:
    """Returns the message that a child has ended; arguments as in `End`."""
    return _REPORT.pack(number, status, cpu, memory)


def read_report(message: bytes) -> End:
    """Returns how a child ended."""
    return End(*_REPORT.unpack(message))
