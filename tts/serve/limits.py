"""What a server takes at once, and what its callers may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from tts.core.settings import NonNegativeInt, PositiveFloat, PositiveInt, settings


@settings
@dataclass(frozen=True)
class ServerLimits:
    """Limits that the operator sets.

    Attributes:
        in_flight: Searches at once; bounds the memory.
        queue: Further requests that are kept: searches that wait for one of these to end, and answers that are still
            being read. More are refused with 429.
        requests_per_minute: Requests of one key; more are refused with 429. None for no limit.
        body: Bytes of a request.
        seconds: Time of a search, its wait included; it then ends with its best candidate.
        grace: Seconds that searches may go on for after SIGTERM; they then end with their best candidates.
        heartbeat: Seconds between signs of life in a stream.
        n: Samples of a search that a caller may ask for, and answers of a direct call.
        votes: Votes that a caller may ask for.
        searches: Strategies that a caller may choose instead of a model's own.
    """

    in_flight: PositiveInt = 256
    queue: NonNegativeInt = 1024
    requests_per_minute: PositiveInt | None = None
    body: PositiveInt = 1 << 20
    seconds: PositiveFloat = 600.0
    grace: PositiveFloat = 30.0
    heartbeat: PositiveFloat = 10.0
    n: PositiveInt = 64
    votes: PositiveInt = 16
    searches: tuple[str, ...] = ()
