"""One server as the dialects use it: paths from its root, and the model's name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx

from tts.core.settings import SettingError, refused
from tts.engines.http.client import Http, answer_of
from tts.engines.http.endpoints import Endpoint, Endpoints
from tts.engines.http.failures import explain
from tts.engines.logprobs import Wire

_log = logging.getLogger(__name__)

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
        """Returns the JSON object at a path from the root of the server that `url` names.

        Raises:
            httpx.HTTPError: It does not answer, or with an error.
            ValueError: The answer is no JSON object.
        """
        return await self._get(self.at(path))

    async def models(self) -> dict[str, Wire]:
        """Returns the models that every server serves, by name; those that do not answer are left to rest.

        Raises:
            httpx.HTTPError: None answers, or one with an error.
            ValueError, KeyError, TypeError: An answer is not a list of models.
        """
        lists = [
            models for models in await asyncio.gather(*map(self._models, self.endpoints.all)) if models is not None
        ]
        if not lists:
            raise httpx.ConnectError("none of them")
        return {name: entry for name, entry in lists[0].items() if all(name in models for models in lists)}

    async def _models(self, endpoint: Endpoint) -> dict[str, Wire] | None:
        try:
            entries = (await self._get(_at(endpoint.url, "/v1/models")))["data"]
        except httpx.TransportError as error:
            if len(self.endpoints.all) == 1:
                raise
            if not endpoint.failures:
                _log.warning(
                    "%s does not answer (%s): the others do its work until it does", endpoint.url, explain(error)
                )
            endpoint.failed()
            return None
        return {entry["id"]: entry for entry in entries}

    async def _get(self, address: str) -> Wire:
        response = await self._http.get(address)
        response.raise_for_status()
        return answer_of(response)

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


@contextmanager
def understood(server: Server, key_env: str) -> Iterator[None]:
    """Turns the errors of `models` into what the user can do.

    Raises:
        SettingError: No server answers, or it is not OpenAI-compatible.
    """
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise SettingError(
            "base_url",
            f"{error.request.url} answered {error.response.status_code}: is this an OpenAI-compatible server, "
            f"and does ${key_env} hold its key?",
        ) from None
    except httpx.HTTPError as error:
        raise refused(
            "base_url",
            ", ".join(endpoint.url for endpoint in server.endpoints.all),
            f"no server answers ({explain(error)}); start one or set another",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise refused(
            "base_url", server.url, "/models is not that of an OpenAI-compatible server; check the URL"
        ) from None
