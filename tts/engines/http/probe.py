"""Finds out what a server can do, with a few short requests, bounded in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tts.engines.generating import Request
from tts.engines.http.findings import Findings
from tts.engines.http.said import Said

Ask = Callable[[Request], Awaitable[Sequence[Said]]]
"""Sends all samples of a request in one HTTP request and returns its choices as the server wrote them, nothing filled in.

Raises RefusedError if the server refuses it, EngineError for other failures.
"""


async def probe(ask: Ask, prompt: str, known: Findings) -> Findings:
    """Returns `known` and what the answers to a few short requests show."""
    raise NotImplementedError
