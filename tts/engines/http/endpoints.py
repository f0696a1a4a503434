"""Several servers of one model: which of them a request goes to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
"""Seconds until a server that failed is tried again; doubled each time, up to the second value."""


class Endpoint:
    """A server, as its client sees it.

    Attributes:
        url: Its URL, up to and including `/v1`.
        in_flight: Requests that it has now.
        failures: Times that it was unavailable or busy since it last answered.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.in_flight = 0
        self.failures = 0
        self._rests_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether it failed a moment ago, so that requests should go elsewhere."""
        return self.failures > 0 and time.monotonic() < self._rests_until

    def answered(self) -> None:
        """Notes that it answers."""
        self.failures = 0

    def failed(self, pause: float = 0.0) -> None:
        """Notes that it is unavailable or busy; `pause` is the seconds for which it asked to be left alone."""
        self.failures += 1
        self.rest(pause)

    def moved(self, url: str) -> None:
        """Notes that it has another URL now, where it has not failed yet."""
        self.url = url
        self.failures = 0

    def rest(self, pause: float = 0.0) -> None:
        """Lets it rest for a while that grows with its failures."""
        own = min(_FIRST_PAUSE * 2.0 ** min(self.failures, 30), _LONGEST_PAUSE)
        self._rests_until = time.monotonic() + max(own, pause)


class Endpoints:
    """The servers of one model.

    All requests about one thing (a problem) go to the same server, whose prefix cache then holds what they share. Which
    one follows from hashes alone (rendezvous hashing: D. Thaler and C. Ravishankar, IEEE/ACM Transactions on Networking
    6(1), 1998), so that a second process chooses the same, and another server moves only the requests that it takes over.
    If that server is full or unavailable, the next one in the order of the hashes takes the request.

    Args:
        urls: Their URLs, up to and including `/v1`; at least one.
        most: Requests that one server can usefully have at a time.
    """

    def __init__(self, urls: Sequence[str], most: int) -> None:
        self.all = [Endpoint(url.rstrip("/")) for url in urls]
        self._most = most

    @property
    def first(self) -> Endpoint:
        """The first server of which no failure is known, else the first."""
        return next((endpoint for endpoint in self.all if not endpoint.failures), self.all[0])

    def choose(self, about: str) -> Endpoint:
        """Returns the server for a request.

        Args:
            about: What the request is about.
        """
        if len(self.all) == 1:
            return self.all[0]
        ranked = sorted(self.all, key=lambda endpoint: _rank(endpoint.url, about))
        awake = [endpoint for endpoint in ranked if not endpoint.resting] or ranked
        free = (endpoint for endpoint in awake if endpoint.in_flight < self._most)
        chosen = next(free, None) or min(awake, key=lambda endpoint: endpoint.in_flight)
        if chosen.failures:
            chosen.rest()  # one request tries whether it is back, and the others wait for what comes of it
        return chosen

    def moved(self, before: str, now: str) -> None:
        """Notes that a server has another URL now; requests that fail at the earlier one go there."""
        for endpoint in self.all:
            if endpoint.url == before:
                endpoint.moved(now)

    def another(self, failed: Endpoint) -> bool:
        """Whether there is a server besides a failed one of which no failure is known."""
        return any(endpoint is not failed and not endpoint.failures for endpoint in self.all)


def _rank(url: str, about: str) -> bytes:
    text = f"{url}\0{about}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest()
