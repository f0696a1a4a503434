"""Ollama's `/api/generate` with `raw: true`.

Its `/v1/completions` is none for raw prompts: it puts them into the model's chat template.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import httpx

from tts.engines.generating import Request
from tts.engines.http.counts import number_if_told, size
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings
from tts.engines.http.said import Said
from tts.engines.logprobs import Wire, read_tokens
from tts.engines.openai.dialect import Encode, Prompt, longest_first
from tts.engines.openai.server import Server

_ADDS_BEGIN = "tokenizer.ggml.add_bos_token"


class OllamaDialect:
    """Ollama's native endpoint. It names no stop strings and cannot count tokens."""

    name = "ollama"
    path = "/api/generate"
    most_samples = 1

    def __init__(self, encode: Encode) -> None:
        pass  # takes texts only

    async def look(self, server: Server, found: Findings) -> Findings:
        """Returns `found`, whether the model's file asks for a begin-of-text token, and the context it is loaded with."""
        with suppress(httpx.HTTPError, RefusedError, ValueError, LookupError, TypeError, AttributeError):
            info = await server.post("/api/show", {"model": server.model}, lambda answer: dict(answer["model_info"]))
            if _ADDS_BEGIN in info:
                found = replace(found, adds_begin=bool(info[_ADDS_BEGIN]))
        with suppress(httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
            loaded = {entry["model"]: entry for entry in (await server.get("/api/ps"))["models"]}
            found = replace(found, context=size(loaded[server.model]["context_length"]) or None)
        return found

    async def prompt(self, server: Server, text: str) -> Prompt:
        """Returns the text."""
        return text

    def write(self, model: str, prompt: Prompt, request: Request, chunk: range, found: Findings) -> dict[str, object]:
        """Returns the body; every option is there, as a model's own file sets others."""
        sampling = request.sampling
        options: dict[str, object] = {
            "num_predict": sampling.max_tokens,
            "seed": request.seeds[chunk.start],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": 0 if sampling.repetition_penalty == 1 else -1,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "stop": longest_first(sampling.stop),
        }
        body: dict[str, object] = {
            "model": model,
            "prompt": prompt,
            "raw": True,
            "stream": False,
            # A prompt beyond the context is an error, not a shorter prompt.
            "truncate": False,
            "shift": False,
            "options": options,
        }
        if sampling.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
        return body

    def read(self, answer: Wire, request: Request, chunk: range, *, processed: bool) -> list[Said]:
        """Reads the only choice."""
        text, entries = answer["response"], answer.get("logprobs")
        if not isinstance(text, str):
            raise TypeError(f"response is {type(text).__name__}")
        asked = bool(entries) and request.sampling.top_logprobs > 0
        return [
            Said(
                text=text,
                finish_reason="length" if answer.get("done_reason") == "length" else "stop",
                tokens=read_tokens({"content": entries}, request.sampling, processed=processed) if asked else None,
                shape="chat" if asked else "none",
                completion_tokens=number_if_told(answer.get("eval_count")),
                # Left out where the whole prompt was cached.
                prompt_tokens=number_if_told(answer.get("prompt_eval_count")),
                index=chunk.start,
            )
        ]

    async def count(self, server: Server, text: str) -> int | None:
        """Returns None: it has no endpoint for that."""
        return None
