"""OpenAI's completions protocol, as vLLM, SGLang and many others speak it.

vLLM's extensions to OpenAI's protocol are used where they matter. Parameters that are off are sent explicitly: vLLM
fills in missing ones from the model's `generation_config.json`, which can turn a temperature of 1 without top-k into
top-k 20.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from tts.core.errors import EngineError
from tts.engines.generating import Request, Sampling, Token
from tts.engines.http.counts import number, number_if_told, size
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings, Shape
from tts.engines.http.said import Said
from tts.engines.logprobs import Wire, read_tokens
from tts.engines.openai.dialect import Encode, Prompt, longest_first
from tts.engines.openai.server import Server

_FAILED = ("abort", "error")

_NAMES = ("stop_reason", "matched_stop")
"""Where vLLM and SGLang name the stop string; in both, an end-of-text token is a number."""


def chunks(request: Request, size: int) -> Iterator[range]:
    """Splits a request's samples into the chunks that are sent together.

    vLLM seeds sample i of a request with `seed + i` (`ParentRequest` in `vllm/v1/engine/parallel_sampling.py`), so
    samples share a request if their seeds are consecutive. It refuses several greedy samples in one request.

    Args:
        request: The request.
        size: Most samples in a chunk.

    Yields:
        Indices of seeds, in order.
    """
    first, seeds = 0, request.seeds
    for end in range(1, len(seeds) + 1):
        full = end - first == size or request.sampling.temperature == 0
        if end == len(seeds) or full or seeds[end] != seeds[end - 1] + 1:
            yield range(first, end)
            first = end


class CompletionsDialect:
    """OpenAI's `/v1/completions` with vLLM's extensions."""

    name = "completions"
    path = "/v1/completions"
    most_samples = 1_000_000

    def __init__(self, encode: Encode) -> None:
        pass  # takes texts only

    async def look(self, server: Server, found: Findings) -> Findings:
        """Returns `found`."""
        return found

    async def prompt(self, server: Server, text: str) -> Prompt:
        """Returns the text; `add_special_tokens` says that no token is to be added."""
        return text

    def write(self, model: str, prompt: Prompt, request: Request, chunk: range, found: Findings) -> dict[str, object]:
        """Returns the body."""
        sampling = request.sampling
        body: dict[str, object] = {
            "model": model,
            "prompt": prompt,
            "seed": request.seeds[chunk.start],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            # Servers agree on -1 for "off", while some refuse 0.
            "top_k": sampling.top_k or -1,
            "min_p": 0.0,
            "repetition_penalty": sampling.repetition_penalty,
            "add_special_tokens": False,
            # Else a stop string that is a special token would never be seen. Servers return the text without the stop
            # string, and it is restored here, since a server that is asked to keep it keeps end-of-text tokens too.
            "skip_special_tokens": False,
        }
        if sampling.stop:
            body["stop"] = longest_first(sampling.stop)
        if sampling.top_logprobs:
            body["logprobs"] = sampling.top_logprobs
        if len(chunk) > 1:
            # Only token ids show how many tokens each sample has.
            body |= {"n": len(chunk), "return_token_ids": True}
        return body

    def read(self, answer: Wire, request: Request, chunk: range, *, processed: bool) -> list[Said]:
        """Reads the choices."""
        choices, usage = answer.get("choices"), answer.get("usage") or {}
        if not choices:
            raise ValueError(f"no choices: {answer.get('error') or answer!r:.200}")
        places = [choice.get("index", 0) for choice in choices]
        if sorted(places) != list(range(len(chunk))):
            raise EngineError(
                f"asked for {len(chunk)} samples of a prompt, the server answered with those of the indices {sorted(places)}"
                + "; set the engine's samples_per_request=1" * (len(chunk) > 1)
            )
        alone = len(chunk) == 1
        return [
            _said(choice, usage, request.sampling, chunk[place], processed=processed, alone=alone)
            for place, choice in zip(places, choices, strict=True)
        ]

    async def count(self, server: Server, text: str) -> int | None:
        """Returns vLLM's or SGLang's count."""
        body = {"model": server.model, "prompt": text, "add_special_tokens": False}
        with suppress(RefusedError):
            # Others have this path too, and count something else.
            return await server.post("/tokenize", body, lambda answer: size(answer.get("count")))
        return None


def _said(choice: Wire, usage: Wire, sampling: Sampling, index: int, *, processed: bool, alone: bool) -> Said:
    text, reason = choice["text"], choice.get("finish_reason")
    if not isinstance(text, str):
        raise TypeError(f"text is {type(text).__name__}")
    if reason in _FAILED:
        raise ValueError(f"finish_reason is {reason}")
    names = [name for name in _NAMES if name in choice]
    ended_by = choice[names[0]] if names else None
    stop = ended_by if isinstance(ended_by, str) else None
    logprobs = choice.get("logprobs")
    tokens = read_tokens(logprobs, sampling, processed=processed) if logprobs and sampling.top_logprobs else None
    return Said(
        text=text,
        finish_reason="length" if reason == "length" else "stop",
        stop=stop,
        names=bool(names),
        tokens=tokens,
        shape=_shape(logprobs) if logprobs and tokens is not None else "none",
        completion_tokens=_count(choice, usage, tokens, alone=alone),
        prompt_tokens=number_if_told(usage.get("prompt_tokens")),
        index=index,
    )


def _shape(logprobs: Wire) -> Shape:
    return "legacy" if logprobs.get("content") is None else "chat"


def _count(choice: Wire, usage: Wire, tokens: Sequence[Token] | None, *, alone: bool) -> int | None:
    if alone and usage.get("completion_tokens") is not None:
        return number(usage["completion_tokens"])
    if choice.get("token_ids") is not None:
        return len(choice["token_ids"])
    if tokens is not None or alone:
        return None if tokens is None else len(tokens)
    raise EngineError(
        "the server does not report the number of tokens of each sample (vLLM's return_token_ids); "
        "set the engine's samples_per_request=1"
    )
