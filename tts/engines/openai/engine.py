"""Any server that completes raw prompts: vLLM, SGLang and other OpenAI-compatible ones, llama.cpp, Ollama.

The prompt is rendered by this project, so the server's chat template is not used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace

import httpx

from tts.core.errors import EngineError
from tts.core.json import JsonObject
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Text,
    refused,
    settings,
)
from tts.core.userinfo import without_userinfo
from tts.engines.base import Identity
from tts.engines.generating import Completion, Request
from tts.engines.http.client import Http
from tts.engines.http.counts import size
from tts.engines.http.endpoints import Endpoints
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings
from tts.engines.http.parts import Parts
from tts.engines.http.urls import BaseUrls, base_urls
from tts.engines.openai.dialect import Prompt
from tts.engines.openai.dialects import DialectName, dialect_of, find_out
from tts.engines.openai.protocol import chunks
from tts.engines.openai.sampling import Sampler
from tts.engines.openai.server import Server, understood
from tts.engines.openai.tokenizer import NamedTokenizer

_log = logging.getLogger(__name__)

_CHARACTERS_PER_TOKEN = 4


@settings
class OpenAIEngine:
    """Completes text on a server.

    Every sample is a separate HTTP request with its own seed, and the number in flight is not limited; servers with
    prefix caching share the prefill. Transient failures are retried, see `tts.engines.http.client`.

    Args:
        model: The served name.
        base_url: The URL up to and including `/v1`; several URLs of servers with the same model are used as one: see
            `tts.engines.http.endpoints`.
        api_key_env: Name of the environment variable that holds the key; your own servers need none.
        timeout: Seconds that one HTTP request may take.
        retries: How often a request that failed on the server is retried: time-out, status 500, unreadable response.
        patience: Seconds to wait for a server that is unavailable or busy: no connection, status 429, 502, 503, 504.
        samples_per_request: Up to so many samples of a prompt with consecutive seeds share one HTTP request with `n=`.
            With more than 1 the server must seed them `seed`, `seed + 1`, ..., as vLLM does. It saves the server and
            the network work if prompts are long, but these samples all finish with the slowest of them.
        tokenizer: Path or hub id of the model's tokenizer, for its chat template and for counting tokens; without it
            the server counts (vLLM's `/tokenize`), or if it cannot, four characters count as a token.
        processed_logprobs: Whether the server reports the distribution it samples from (vLLM V0, or `logprobs_mode=
            processed_logprobs`) instead of the model's own.
        parameters: The model's number of parameters, for FLOPs.
        in_flight: Samples that a server can usefully have at a time, its running ones and a full queue; the engine
            does not enforce it, its users do (`tts.engines.metered`).
        revision: Distinguishes these weights from others served under the same name, for `bank.path`: samples are then
            reused wherever the model is served. None: only from this URL.
        dialect: How the server is talked to: `completions` (OpenAI's, with vLLM's extensions), `llama.cpp` or `ollama`
            (their native endpoints); `auto` asks the server what it is.

    Attributes:
        found: What the server was found to do when the engine was started.

    Raises:
        UserError: A setting is out of range.
    """

    remote = True

    def __init__(
        self,
        model: Text,
        base_url: BaseUrls = "http://127.0.0.1:8000/v1",
        api_key_env: str = "OPENAI_API_KEY",
        timeout: PositiveFloat = 600.0,
        retries: NonNegativeInt = 3,
        patience: NonNegativeFloat = 300.0,
        samples_per_request: PositiveInt = 1,
        tokenizer: str | None = None,
        processed_logprobs: bool = False,
        parameters: PositiveInt | None = None,
        in_flight: PositiveInt = 512,
        revision: str | None = None,
        dialect: DialectName = "auto",
    ) -> None:
        self.name = model
        self.parameters = parameters
        self._urls = base_urls(base_url)
        self.capacity = in_flight * len(self._urls)
        self.found: Findings | None = None
        self._url = without_userinfo(", ".join(self._urls))
        self._key_env = api_key_env
        self._http = Http(api_key_env, timeout, retries, patience, settings=self._urls)
        self._server = Server(self._http, Endpoints(self._urls, in_flight), model)
        self._dialect_name: DialectName = dialect
        self._tokenizer = NamedTokenizer(tokenizer, model)
        self._processed = processed_logprobs
        self._samples_per_request = samples_per_request
        self._counts_tokens = True
        self._context: int | None = None
        self._root: str | None = None
        self._revision = revision
        self._use(Findings())
        self._parts = Parts()

    async def start(self) -> None:
        """Checks that the server serves the model, and finds out what it can do.

        Raises:
            UserError: No server answers, it does not complete raw prompts, or it does not serve the model.
        """
        with understood(self._server, self._key_env):
            served = await self._served()
        if self.name not in served:
            raise refused("model", self.name, self._not_served(served))
        await asyncio.to_thread(self._tokenizer.load)
        if self.found is None:
            await self._find_out()

    @property
    def reports_logprobs(self) -> bool:
        """Whether the server reports log-probabilities; assumed until it has been asked."""
        return self._findings.logprobs != "none"

    @property
    def knows_proposals(self) -> bool:
        """Whether the server reports the distribution that it samples from."""
        return self._processed or self._findings.logprobs_mode == "processed"

    @property
    def dialect(self) -> str:
        """The name of the dialect in which the server is talked to."""
        return self._dialect.name

    async def _find_out(self) -> None:
        """Finds out what the server can do, and what its gaps mean for this engine."""
        found = await find_out(self._server, self._dialect_name, self._tokenizer.encode, self._key_env)
        self._use(found)
        self.found = found
        if found.seeded is False:
            _log.warning("%s ignores seeds: the same seed does not give the same text, see docs/servers.md", self._url)
        if found.adds_begin and self._tokenizer.begin is None:
            _log.warning(
                "%s puts a begin-of-text token before every prompt, also before one that begins with it; set the engine's "
                "tokenizer=PATH_OR_HUB_ID, so that only one is left",
                self._url,
            )

    def _use(self, found: Findings) -> None:
        self._dialect = dialect_of(self._dialect_name, found, self._tokenizer.encode)
        self._sampler = Sampler(self._server, self._dialect, found, self.count_tokens, self._processed)
        self._findings = found

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the completions as they finish.

        Raises:
            EngineError: The server refuses the request, stayed unavailable, failed too often, or the engine was closed.
        """
        shared = 1 if self._findings.n is False else min(self._samples_per_request, self._dialect.most_samples)
        prompt = asyncio.create_task(self._sampler.prompt(self._text_sent(request.prompt)))
        parts = [self._complete(prompt, request, chunk) for chunk in chunks(request, shared)]
        try:
            async with aclosing(self._parts.run(parts)) as landing:
                async for completion in landing:
                    yield completion
        finally:
            prompt.cancel()
            await asyncio.gather(prompt, return_exceptions=True)

    async def _complete(self, ready: asyncio.Task[Prompt], request: Request, chunk: range) -> list[Completion]:
        prompt = await asyncio.shield(ready)
        most = request.sampling.max_tokens if self._context is None else min(request.sampling.max_tokens, self._context)
        try:
            return await self._sampler.complete(prompt, _at_most(request, most), chunk)
        except RefusedError as refusal:
            served = None
            if refusal.status == 404 or (refusal.status == 400 and self._context is None):
                with suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
                    served = await self._served()
            # The server may have been restarted with another model.
            if served is not None and self.name not in served:
                raise EngineError(self._not_served(served)) from None
            # Servers cut a completion at the context's end, and some refuse requests for more tokens.
            room = None if self._context is None else self._context - await self.count_tokens(request.prompt)
            if refusal.status != 400 or room is None or not 1 <= room < most:
                raise
            return await self._sampler.complete(prompt, _at_most(request, room), chunk)

    def _text_sent(self, text: str) -> str:
        """Returns a prompt without the begin-of-text token that the server puts before it."""
        return text.removeprefix(self._tokenizer.begin or "") if self._findings.adds_begin else text

    async def _served(self) -> list[str]:
        """Returns the names of the served models; stores this one's context and origin if the server reports them."""
        entries = await self._server.models()
        entry = entries.get(self.name, {})
        self._context, self._root = size(entry.get("max_model_len")) or None, entry.get("root")
        return list(entries)

    def _not_served(self, served: list[str]) -> str:
        return f"{self._url} does not serve '{self.name}'; it serves {', '.join(map(repr, served)) or 'nothing'}"

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens, from the tokenizer, else from the server, else estimated.

        Raises:
            EngineError: The server that counts stayed unavailable or failed too often.
        """
        here = self._tokenizer.count(text)
        if here is not None:
            return here
        if self._counts_tokens:
            count = await self._dialect.count(self._server, text)
            if count is not None:
                return count
            self._counts_tokens = False
        return -(-len(text) // _CHARACTERS_PER_TOKEN)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders with the chat template of the tokenizer that the configuration names."""
        return self._tokenizer.render(messages, answer=answer)

    def report(self) -> JsonObject:
        """Returns what the server was found to do, and the dialect in which it was found out."""
        return {} if self.found is None else {"dialect": self._dialect.name, **self.found.to_json()}

    def identity(self) -> Identity:
        """Returns the served name, its URL or revision, and what the server reports about the model."""
        where = {"url": self._url} if self._revision is None else {"revision": self._revision}
        reported = {"root": self._root, "context": self._context, "processed_logprobs": self.knows_proposals}
        return {"engine": "openai", "model": self.name, **where, **reported, **self._differences()}

    def _differences(self) -> Identity:
        """Returns what makes results others than those of a server without gaps, which are stored without it."""
        found = self._findings
        seen = found.stop_named is False or bool(found.stop_kept)
        return {
            **({} if self._dialect.name == "completions" else {"dialect": self._dialect.name}),
            **({"endings": "seen"} if seen else {}),
            **({"begin": "left out"} if found.adds_begin and self._tokenizer.begin else {}),
        }

    def moved(self, before: str, now: str) -> None:
        """Notes that a server has another URL now."""
        self._server.endpoints.moved(before, now)

    async def close(self) -> None:
        """Fails running requests and closes this event loop's connections; `start` and `generate` open new ones."""
        await self._parts.close()
        await self._http.close()


def _at_most(request: Request, tokens: int) -> Request:
    if tokens == request.sampling.max_tokens:
        return request
    return replace(request, sampling=replace(request.sampling, max_tokens=tokens))
