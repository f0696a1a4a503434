"""One connection per request in flight, at a cost that does not grow with their number."""

from __future__ import annotations

import ssl
from contextlib import suppress
from urllib.request import getproxies, proxy_bypass

import httpx

from tts.core.errors import UserError
from tts.core.secrets import Secrets
from tts.engines.http.urls import is_url

_MOST_BYTES = 256 * 2**20
"""Bytes of a response, unpacked: several times those of 64 samples of 8192 tokens with 20 alternatives each."""


_PROXIES = ("http", "https", "socks5", "socks5h")


class TooLargeError(httpx.HTTPError):
    """A response is larger than any that a model server gives."""

    def __init__(self) -> None:
        super().__init__(f"the response is larger than {_MOST_BYTES // 2**20} MiB; is this a model server?")


class Connections(httpx.AsyncBaseTransport):
    """A pool of single-connection transports; the most recently freed is reused first.

    httpcore's pool (1.0) scans all connections and polls the idle ones twice per request: with hundreds in flight that
    takes longer than everything else.

    Args:
        secrets: What is taken out of each response: some servers repeat the key, and it would be stored as a model's text.

    Raises:
        UserError: The certificates that the environment names cannot be read.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        try:
            self._context = httpx.create_ssl_context()  # shared: creating one takes 10 to 20 ms
        except (OSError, ssl.SSLError) as error:
            raise UserError(f"certificates ($SSL_CERT_FILE, $SSL_CERT_DIR): cannot be read ({error})") from None
        self._all: set[httpx.AsyncHTTPTransport] = set()
        self._free: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and reads the whole response.

        Raises:
            TooLargeError: The response has no reasonable end.
            UserError: The environment names a proxy that is none, or that needs another package.
        """
        connection = self._free.pop() if self._free else self._add(request.url)
        try:
            response = await _whole(
                await connection.handle_async_request(request), self._secrets
            )  # the connection is free after that
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
        if proxy and not is_url(proxy, _PROXIES):
            raise UserError(f"the proxy of the environment is no URL ({proxy}); http://HOST:PORT is needed")
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        try:
            connection = httpx.AsyncHTTPTransport(verify=self._context, limits=limits, proxy=proxy)
        except (ImportError, ValueError) as error:
            # httpx reads SOCKS proxies with a package of its own.
            raise UserError(f"the proxy of the environment cannot be used ({error})") from None
        self._all.add(connection)
        return connection


async def _whole(response: httpx.Response, secrets: Secrets) -> httpx.Response:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise TooLargeError
    # As bytes: a server may send any. Not those that say how to read the body: it is unpacked, and a server may name one of
    # Python's codecs that reads no text.
    headers = [pair for pair in response.headers.raw if pair[0].lower() not in (b"content-encoding", b"content-type")]
    return httpx.Response(response.status_code, headers=headers, content=secrets.hide_in(b"".join(parts)))


def raise_file_limit() -> None:
    """Raises this process's limit of open files and sockets to the maximum: every request in flight takes one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems refuse the hard limit that they report.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
