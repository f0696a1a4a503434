"""Any OpenAI-compatible server (vLLM, SGLang, llama.cpp, ...) through its raw completions endpoint.

The prompt is rendered by this project, so the server's chat template plays no part. vLLM's extensions to the protocol are
used where they matter: stop strings that stay in the text, top-k, and no second begin-of-text token.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tts.engines.base import Completion, Request, Sampling
from tts.engines.logprobs import read_tokens
from tts.errors import EngineError, UserError

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_CHARACTERS_PER_TOKEN = 4


class OpenAIEngine:
    """Completes text on a server.

    Every sample is a request of its own with its own seed; servers with prefix caching share the prefill. A request is
    tried again, with growing random pauses or after the `Retry-After` that the server asks for, when it failed in a way
    that can pass: no connection, time-out, status 408, 409, 425, 429 or 5xx.

    Args:
        model: The served name.
        base_url: Up to and with `/v1`.
        api_key_env: Name of the environment variable that holds the key; servers of one's own need none.
        timeout: Seconds that one request may take.
        retries: How often a failed request is tried again.
        tokenizer: Path or hub id of the model's tokenizer, for its chat template and for counting tokens; without it the
            server is asked (vLLM's `/tokenize`), and if it cannot count, four characters make a token.
        processed_logprobs: Whether the server reports the distribution it samples from (vLLM V0, or `logprobs_mode=
            processed_logprobs`) and not the model's own.
        parameters: The model's number of parameters, for FLOPs.
    """

    def __init__(
        self,
        model: str,
        base_url: str = "http://127.0.0.1:8000/v1",
        api_key_env: str = "OPENAI_API_KEY",
        timeout: float = 600.0,
        retries: int = 5,
        tokenizer: str | None = None,
        processed_logprobs: bool = False,
        parameters: int | None = None,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise UserError(f"engine base_url={base_url}: not a URL; expected http://HOST:PORT/v1")
        self.name = model
        self.parameters = parameters
        self._url = base_url.rstrip("/")
        self._key_env = api_key_env
        self._timeout = timeout
        self._retries = retries
        self._tokenizer_name = tokenizer
        self._processed = processed_logprobs
        self._tokenizer: Any = None
        self._counts_tokens = True
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Asks the server for its models.

        Raises:
            UserError: No server answers, it is not an OpenAI-compatible one, or it does not serve the model.
        """
        await asyncio.to_thread(self._load_tokenizer)
        try:
            response = await self._http().get(f"{self._url}/models", timeout=min(self._timeout, 20.0))
            response.raise_for_status()
            served = [entry["id"] for entry in response.json()["data"]]
        except httpx.HTTPStatusError as error:
            raise UserError(
                f"{self._url}/models answered {error.response.status_code}: is this an OpenAI-compatible server, "
                f"and does ${self._key_env} hold its key?"
            ) from None
        except httpx.HTTPError as error:
            raise UserError(f"no server answers at {self._url} ({_reason(error)}); start one or set base_url") from None
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{self._url}/models: not the answer of an OpenAI-compatible server; check base_url"
            ) from None
        if self.name not in served:
            raise UserError(
                f"{self._url} does not serve '{self.name}'; it serves {', '.join(map(repr, served)) or 'nothing'}"
            )

    def _http(self) -> httpx.AsyncClient:
        # A pooled client belongs to one event loop; every job of a sweep has its own.
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            key = os.environ.get(self._key_env)
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                # httpx's default of 100 connections would be a hidden cap on the requests in flight.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
                timeout=httpx.Timeout(self._timeout, connect=20.0),
            )
            self._loop = loop
        return self._client

    async def generate(self, request: Request) -> AsyncIterator[Completion]:
        """Yields the completions as they land."""
        tasks = [asyncio.create_task(self._complete(request, index)) for index in range(len(request.seeds))]
        try:
            for landed in asyncio.as_completed(tasks):
                yield await landed
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _complete(self, request: Request, index: int) -> Completion:
        sampling = request.sampling
        body = {
            "model": self.name,
            "prompt": request.prompt,
            "seed": request.seeds[index],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop": list(sampling.stop) or None,
            "logprobs": sampling.alternatives or None,
            "top_k": sampling.top_k or None,
            "repetition_penalty": sampling.repetition_penalty if sampling.repetition_penalty != 1 else None,
            "include_stop_str_in_output": True if sampling.include_stop else None,
            "add_special_tokens": False,
        }
        answer = await self._post(f"{self._url}/completions", {k: v for k, v in body.items() if v is not None})
        try:
            return self._read(answer, sampling, index)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise EngineError(f"{self._url}/completions: cannot read the server's answer ({error!r})") from None

    def _read(self, answer: dict[str, Any], sampling: Sampling, index: int) -> Completion:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        text, reason = choice["text"], choice["stop_reason"] if isinstance(choice.get("stop_reason"), str) else None
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}")
        if sampling.include_stop and reason and not text.endswith(reason):
            text += reason
        stop = reason or next((s for s in sampling.stop if sampling.include_stop and text.endswith(s)), None)
        logprobs = choice.get("logprobs")
        tokens = (
            read_tokens(logprobs, sampling, processed=self._processed) if logprobs and sampling.alternatives else None
        )
        return Completion(
            text=text,
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            stop=stop,
            tokens=tokens,
            completion_tokens=int(usage.get("completion_tokens", len(tokens) if tokens else 0)),
            prompt_tokens=int(usage.get("prompt_tokens", 0)),
            index=index,
        )

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(self._retries + 1):
            pause = random.uniform(0.5, 1.0) * min(2.0**attempt * 0.25, 30.0)
            try:
                response = await self._http().post(url, json=body)
            except httpx.TransportError as error:
                failure = _reason(error)
            else:
                if response.is_success:
                    try:
                        answer = response.json()
                    except ValueError:
                        raise EngineError(f"{url}: the answer is not JSON: {response.text[:80]!r}") from None
                    if isinstance(answer, dict):
                        return answer
                    raise EngineError(f"{url}: the answer is not a JSON object: {response.text[:80]!r}")
                failure = f"status {response.status_code}: {response.text[:200].strip()}"
                if response.status_code not in _RETRIED:
                    break
                pause = _retry_after(response) or pause
            if attempt < self._retries:
                await asyncio.sleep(pause)
        raise EngineError(f"{url}: {failure}")

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens by the tokenizer, else by the server, else estimated."""
        if self._tokenizer is not None:
            return len(self._tokenizer.encode(text, add_special_tokens=False))
        estimate = -(-len(text) // _CHARACTERS_PER_TOKEN)
        if not self._counts_tokens:
            return estimate
        url = self._url.removesuffix("/v1") + "/tokenize"
        try:
            response = await self._http().post(
                url, json={"model": self.name, "prompt": text, "add_special_tokens": False}, timeout=20.0
            )
            response.raise_for_status()
            return int(response.json()["count"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            self._counts_tokens = False
            return estimate

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders with the chat template of the tokenizer that the configuration names."""
        self._load_tokenizer()
        if self._tokenizer is None or not self._tokenizer.chat_template:
            raise UserError(
                f"no chat template is known for '{self.name}': name a chat format (chat=chatml, llama-3, ...) "
                "or set the engine's tokenizer=PATH_OR_HUB_ID"
            )
        text: str = self._tokenizer.apply_chat_template(messages, add_generation_prompt=answer, tokenize=False)
        return text

    def _load_tokenizer(self) -> None:
        if self._tokenizer_name is None or self._tokenizer is not None:
            return
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(self._tokenizer_name)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"tokenizer={self._tokenizer_name}: cannot be loaded ({reason})") from None

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None and self._loop is asyncio.get_running_loop():
            await self._client.aclose()
        self._client = None


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return min(float(value), 60.0) if value.isdigit() else None


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
