"""Any server of chat completions as an engine: hosted APIs, vLLM, SGLang, llama.cpp, Ollama.

Messages go out, so the server's own template is used, whatever it is. What a server can do beyond that is found out at
the start (`tts.engines.chat.probe`), and what it cannot do is said, and done here where that is exact.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, TypeVar

import httpx

from tts.core.errors import EngineError, UserError
from tts.core.json import JsonObject
from tts.core.secrets import Secrets, key_of
from tts.core.setting_error import nearest
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    OneOf,
    PositiveFloat,
    PositiveInt,
    SettingError,
    Text,
    refused,
    settings,
)
from tts.core.userinfo import without_userinfo
from tts.engines.base import Identity
from tts.engines.chat.continuation import STYLES, StyleName, opened
from tts.engines.chat.fields import LIMITS, OPTIONAL, HostFields, LimitName, room
from tts.engines.chat.pace import HostLimits
from tts.engines.chat.probe import Findings, probe
from tts.engines.chat.protocol import CHARACTERS_PER_TOKEN, Expected, read_answer, write_sampling
from tts.engines.conversation import Asked, read_prompt, write_prompt
from tts.engines.generating import Completion, Request
from tts.engines.http.client import Http, answer_of
from tts.engines.http.endpoints import Endpoints
from tts.engines.http.failures import RefusedError, explain
from tts.engines.http.parts import Parts
from tts.engines.http.urls import BaseUrls, base_urls
from tts.engines.logprobs import Wire
from tts.engines.openai.protocol import chunks

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_NO_KEY = (401, 403)
_NO_PAGE = (404, 405)
_SHOWN = 8
"""Most served models that a message lists."""


@settings
class ChatEngine:
    """Answers conversations on a server, and continues begun answers where the server can.

    Prompts are those of `tts.engines.conversation`; `render` writes them, as the model's own chat template.

    Args:
        model: The served name.
        base_url: The URL up to and including the version, `https://api.openai.com/v1`; a list for several servers that
            have the same model.
        api_key_env: Name of the environment variable that holds the key; your own servers need none.
        timeout: Seconds that one HTTP request may take.
        retries: How often a request that failed on the server is retried: time-out, status 500, unreadable response.
        patience: Seconds to wait for a server that is unavailable or busy: no connection, status 429, 502, 503, 504.
        requests_per_minute: Most requests sent in a minute, retries included; None for no limit.
        tokens_per_minute: Most tokens of prompts and completions in a minute; None for no limit.
        samples_per_request: Up to so many samples of a prompt share one HTTP request with `n=`.
        continuation: How a begun answer is continued: `continue_final_message` (vLLM, SGLang), `prefix` (DeepSeek's beta,
            Mistral), `assistant` (Anthropic, Ollama, OpenRouter), `none`, or `auto` to find out.
        token_limit: The field that limits completion tokens, `max_tokens` or `max_completion_tokens`; `auto` to find out.
        reasoning_effort: Sent if it is set.
        reasoning_tokens: Added to each limit of completion tokens, as room for reasoning, which servers count with them.
        omit: Optional fields that are not sent.
        extra_body: Further fields of each request.
        parameters: The model's number of parameters, for FLOPs.
        in_flight: Samples that the server can usefully have at a time.
        revision: Distinguishes this model from others served under the same name, for `bank.path`: samples are then
            reused wherever it is served. None: only from this URL.

    Raises:
        UserError: A setting is out of range.
    """

    remote = True
    sends_messages = True

    def __init__(
        self,
        model: Text,
        base_url: BaseUrls = "https://api.openai.com/v1",
        api_key_env: str = "OPENAI_API_KEY",
        timeout: PositiveFloat = 600.0,
        retries: NonNegativeInt = 3,
        patience: NonNegativeFloat = 300.0,
        requests_per_minute: PositiveFloat | None = None,
        tokens_per_minute: PositiveInt | None = None,
        samples_per_request: PositiveInt = 1,
        continuation: Annotated[str, OneOf(("auto", "none", *STYLES))] = "auto",
        token_limit: Annotated[str, OneOf(("auto", *LIMITS))] = "auto",
        reasoning_effort: Text | None = None,
        reasoning_tokens: NonNegativeInt = 0,
        omit: tuple[Annotated[str, OneOf(OPTIONAL)], ...] = (),
        extra_body: dict[str, object] | None = None,
        parameters: PositiveInt | None = None,
        in_flight: PositiveInt = 64,
        revision: str | None = None,
    ) -> None:
        self.name = model
        self.parameters = parameters
        urls = base_urls(base_url)
        self.capacity = in_flight * len(urls)
        self._url = without_userinfo(", ".join(urls))
        self._endpoints = Endpoints(urls, in_flight)
        self._key_env = api_key_env
        pace = HostLimits(requests_per_minute, tokens_per_minute, patience)
        self._http = Http(api_key_env, timeout, retries, patience, pace, {"urls": urls, "extra_body": extra_body})
        self._samples_per_request = samples_per_request
        self._continuation = continuation
        self._room_to_think = reasoning_tokens
        effort: dict[str, object] = {} if reasoning_effort is None else {"reasoning_effort": reasoning_effort}
        self._extra = {**effort, **(extra_body or {})}
        self._public_extra: JsonObject = json.loads(Secrets(self._extra).hide(json.dumps(self._extra)))
        limit: LimitName | None = next((limit for limit in LIMITS if limit == token_limit), None)  # None: to be learned
        self.fields = HostFields(f"'{model}' at {self._url}", limit, omit)
        self._revision = revision
        self._parts = Parts()
        self.found: Findings | None = None

    @property
    def continues(self) -> bool:
        """Whether it continues a begun answer; with `auto`, assumed until the server has been asked."""
        return self._continuation != "none" if self.found is None else self.found.continuation is not None

    @property
    def reports_logprobs(self) -> bool:
        """Whether it reports log-probabilities; assumed until the server has been asked."""
        return self.found is None or self.found.logprobs

    def report(self) -> JsonObject:
        """Returns what the server was found to do; empty before `start`."""
        if self.found is None:
            return {}
        return {**vars(self.found), "token_limit": self.fields.limit, "omitted": list(self.fields.omitted)}

    async def start(self) -> None:
        """Finds out what the server can do, with a few short requests.

        Raises:
            UserError: No server answers, it is no chat server, refuses the key, or does not serve the model.
        """
        if self.found is not None:
            return
        served = await self._served()
        try:
            self.found = await probe(self._ask, self._style, continues=self._continuation != "none")
        except RefusedError as refusal:
            raise self._explained(refusal, served) from None
        except EngineError as error:
            raise refused(
                "base_url", self._url, f"this does not answer as a server of chat completions does: {error}"
            ) from None
        if self.found.continuation is not None and not self.found.seen_continuing:
            _log.warning(
                "'%s' at %s was asked to continue a line (continuation=%s), and did not go on where it ended: are its "
                "steps those that you expect?",
                *(self.name, self._url, self.found.continuation),
            )

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the completions as they finish.

        Raises:
            EngineError: The server refuses the request, stayed unavailable, failed too often, does not continue a begun
                answer, or the engine was closed.
        """
        asked = read_prompt(request.prompt)
        parts = [self._complete(request, asked, chunk) for chunk in chunks(request, self._samples_per_request)]
        async with aclosing(self._parts.run(parts)) as landing:
            async for completion in landing:
                yield completion

    async def _complete(self, request: Request, asked: Asked, chunk: range) -> list[Completion]:
        can, sampling = self._can, request.sampling
        if asked.prefix and can.continuation is None:
            raise EngineError(f"'{self.name}' at {self._url} does not continue a begun answer")
        shown = asked if can.keeps_blanks else replace(asked, prefix=asked.prefix.rstrip())
        blank = asked.prefix[len(shown.prefix) :]
        turns = STYLES[can.continuation].written(shown) if shown.prefix and can.continuation else opened(shown)
        fields = {**turns, **write_sampling(sampling, request.seeds[chunk.start], len(chunk))}
        # The white space of the prefix may come again, and a stop string in it would end the text at once.
        if sampling.stop and (blank or not can.names_stops):
            del fields["stop"]
            self.fields.tell("stop", None, "does not say which stop string ended an answer")
        estimate = await self.count_tokens(asked.text)
        echoed = shown.prefix if can.echoes else ""
        expected = Expected(sampling, chunk, estimate, bool(shown.prefix), blank, echoed)
        most = estimate + len(chunk) * sampling.max_tokens
        return await self._send(fields, lambda answer: read_answer(answer, expected), most)

    async def _ask(self, fields: JsonObject, read: Callable[[Wire], _T]) -> _T:
        """Sends a short request of the probe."""
        return await self._send(fields, read, 100)

    async def _send(self, fields: JsonObject, read: Callable[[Wire], _T], tokens: int) -> _T:
        """Sends a request, again with other fields if the server refuses one that can be done without."""
        most = int(str(fields["max_tokens"])) + self._room_to_think
        while True:
            sent = self.fields.fitted({"model": self.name, **fields, "max_tokens": most}) | self._extra
            try:
                return await self._http.post(
                    self._endpoints, "{}/chat/completions".format, sent, read, tokens + self._room_to_think
                )
            except RefusedError as refusal:
                if self.fields.learn(str(refusal), sent):
                    continue
                left = room(str(refusal))
                if left is None or left >= most:
                    raise
                most = left

    async def count_tokens(self, text: str) -> int:
        """Estimates the number of tokens: chat servers count only what was sent to them."""
        return -(-len(text) // CHARACTERS_PER_TOKEN)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Returns the messages as a prompt; a server always opens the assistant's turn, whatever `answer` says."""
        return write_prompt(messages)

    def identity(self) -> Identity:
        """Returns the served name, its URL or revision, and what else shapes its answers."""
        where = {"url": self._url} if self._revision is None else {"revision": self._revision}
        can = self._can
        turns = {"continuation": can.continuation, "keeps_blanks": can.keeps_blanks}
        sent = {
            "omitted": list(self.fields.omitted),
            "reasoning_tokens": self._room_to_think,
            "extra": self._public_extra,
        }
        return {"engine": "chat", "model": self.name, **where, **turns, **sent}

    def moved(self, before: str, now: str) -> None:
        """Notes that a server has another URL now."""
        self._endpoints.moved(before, now)

    async def close(self) -> None:
        """Fails running requests and closes this event loop's connections; `start` and `generate` open new ones."""
        await self._parts.close()
        await self._http.close()

    @property
    def _style(self) -> StyleName | None:
        """The way of continuing that the user names."""
        return next((name for name in STYLES if name == self._continuation), None)

    @property
    def _can(self) -> Findings:
        """What the server can do; before it was asked, what the user says."""
        return self.found or Findings(continuation=self._style)

    async def _served(self) -> list[str]:
        """Returns the names of the served models; empty if the server does not list them."""
        said = ""
        for endpoint in self._endpoints.all:
            try:
                response = await self._http.get(f"{endpoint.url}/models")
                return [str(entry["id"]) for entry in answer_of(response)["data"]]
            except httpx.TransportError as error:
                said = explain(error)
                endpoint.failed(0.0)
            except (httpx.HTTPError, ValueError, LookupError, TypeError):
                return []
        raise refused("base_url", self._url, f"no server answers ({said}); start one or set another")

    def _explained(self, refusal: RefusedError, served: Sequence[str]) -> UserError:
        """Returns the error for a server that refuses the first request."""
        if refusal.status in _NO_KEY:
            held = f"the key in ${self._key_env}" if key_of(self._key_env) else "requests without a key"
            remedy = "set that variable, or name another one" if held.startswith("req") else "check it, or name another"
            return refused(
                "api_key_env", self._key_env, f"{self._url} refuses {held} (status {refusal.status}); {remedy}"
            )
        if served and self.name not in served:
            near = nearest(self.name, served)
            hint = f"did you mean '{near}'?" if near else f"it serves {', '.join(served[:_SHOWN])}"
            return refused("model", self.name, f"{self._url} does not serve it; {hint}")
        if refusal.status in _NO_PAGE and not served:
            return refused(
                "base_url", self._url, f"no chat completions there (status {refusal.status}); check the URL, up to /v1"
            )
        return SettingError("", str(refusal))
