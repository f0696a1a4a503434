"""One server as the dialects use it: paths from its root, and the model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tts.engines.http.client import Http
from tts.engines.logprobs import Wire

_T = TypeVar("_T")


class Server:
    """A server and a model of it.

    Args:
        http: Sends the requests.
        url: The base URL, with or without `/v1`.
        model: The served name.
    """

    def __init__(self, http: Http, url: str, model: str) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._http = http
        self._root = self.url.removesuffix("/v1")

    async def get(self, path: str) -> Wire:
        """Returns the JSON object at a path from the root.

        Raises:
            httpx.HTTPError: It does not answer, or with an error.
            ValueError: The answer is no JSON object.
        """
        response = await self._http.get(self.at(path))
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict):
            raise ValueError("not a JSON object")
        return answer

    async def post(self, path: str, body: Mapping[str, object], read: Callable[[Wire], _T]) -> _T:
        """Posts JSON to a path from the root and returns what `read` makes of the answer; errors as of `Http.post`."""
        return await self._http.post(self.at(path), body, read)

    def at(self, path: str) -> str:
        """Returns the address of a path from the root; `/v1/...` is below the base URL, whatever that ends in."""
        below = path.removeprefix("/v1")
        return f"{self.url}{below}" if below != path else f"{self._root}{path}"
