"""One server as the dialects use it: paths from its root, and the model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tts.engines.http.client import Http
from tts.engines.http.endpoints import Endpoints
from tts.engines.logprobs import Wire

_T = TypeVar("_T")


class Server:
    """A model, and the server that has it or several that are used as one.

    Args:
        http: Sends the requests.
        endpoints: The servers' base URLs, with or without `/v1`.
        model: The served name.
    """

    def __init__(self, http: Http, endpoints: Endpoints, model: str) -> None:
        self.endpoints = endpoints
        self.model = model
        self._http = http

    @property
    def url(self) -> str:
        """The base URL of the first server that is known to answer."""
        return self.endpoints.first.url

    async def get(self, path: str) -> Wire:
        """Returns the JSON object at a path from the root of the first server that answers.

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
        return await self._http.post(self.endpoints, lambda url: _at(url, path), body, read)

    def at(self, path: str) -> str:
        """Returns the address of a path at the server that `url` names."""
        return _at(self.url, path)


def _at(url: str, path: str) -> str:
    """Returns the address of a path from the root; `/v1/...` is below the base URL, whatever that ends in."""
    below = path.removeprefix("/v1")
    return f"{url}{below}" if below != path else f"{url.removesuffix('/v1')}{path}"
