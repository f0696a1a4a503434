"""One connection per request in flight, at a cost that does not grow with their number."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import httpx


class Connections(httpx.AsyncBaseTransport):
    """A pool of single-connection transports; the most recently freed is reused first.

    httpcore's pool (1.0) scans all connections and polls the idle ones twice per request: with hundreds in flight that
    takes longer than everything else.
    """

    def __init__(self) -> None:
        self._context = httpx.create_ssl_context()  # shared: creating one takes 10 to 20 ms
        self._all: set[httpx.AsyncHTTPTransport] = set()
        self._free: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and reads the whole response."""
        connection = self._free.pop() if self._free else self._add(request.url)
        try:
            response = await connection.handle_async_request(request)
            await response.aread()  # the connection is free only after that
        except BaseException:
            # A cancelled request's connection may count as taken forever (httpcore 1.0), blocking the next request.
            self._all.remove(connection)
            await connection.aclose()
            raise
        self._free.append(connection)
        return response

    async def aclose(self) -> None:
        """Closes all of them."""
        for connection in self._all:
            await connection.aclose()

    def _add(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        # As httpx does when it creates the transport itself; all requests go to one server.
        proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        connection = httpx.AsyncHTTPTransport(verify=self._context, limits=limits, proxy=proxy)
        self._all.add(connection)
        return connection
