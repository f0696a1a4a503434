"""The wire protocol: the completions request, and the completions in its response.

vLLM's extensions to OpenAI's protocol are used where they matter. Parameters that are off are sent explicitly: vLLM
fills in missing ones from the model's `generation_config.json`, which can turn a temperature of 1 without top-k into
top-k 20.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tts.core.errors import EngineError
from tts.engines.generating import Completion, Request, Sampling, Token
from tts.engines.logprobs import Wire, read_tokens

_FAILED = ("abort", "error")


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


def write_request(model: str, request: Request, chunk: range) -> dict[str, object]:
    """Returns the body of the HTTP request for some of a request's samples."""
    sampling = request.sampling
    body: dict[str, object] = {
        "model": model,
        "prompt": request.prompt,
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
        # Of stop strings that end at the same place the longest counts; servers take the first.
        body["stop"] = sorted(sampling.stop, key=len, reverse=True)
    if sampling.top_logprobs:
        body["logprobs"] = sampling.top_logprobs
    if len(chunk) > 1:
        # Only token ids show how many tokens each sample has.
        body |= {"n": len(chunk), "return_token_ids": True}
    return body


def read_answer(answer: Wire, sampling: Sampling, chunk: range, *, processed: bool) -> list[Completion]:
    """Reads the completions of a chunk of samples.

    Args:
        answer: The server's response.
        sampling: How the completions were sampled.
        chunk: Indices of the requested seeds.
        processed: Whether the server reports the distribution sampled from instead of the model's own.

    Raises:
        KeyError, TypeError, ValueError, LookupError, AttributeError: It is malformed, empty, or says that sampling
            failed.
        EngineError: It holds other samples than were requested.
    """
    choices, usage = answer["choices"], answer.get("usage") or {}
    if not choices:
        raise ValueError("no choices")
    places = [choice.get("index", 0) for choice in choices]
    if sorted(places) != list(range(len(chunk))):
        raise EngineError(
            f"asked for {len(chunk)} samples of a prompt, the server answered with those of the indices {sorted(places)}"
            + "; set the engine's samples_per_request=1" * (len(chunk) > 1)
        )
    return [
        _completion(choice, usage, sampling, chunk[place], processed=processed, alone=len(chunk) == 1)
        for place, choice in zip(places, choices, strict=True)
    ]


def _completion(
    choice: Wire, usage: Wire, sampling: Sampling, index: int, *, processed: bool, alone: bool
) -> Completion:
    text, reason = choice["text"], choice.get("finish_reason")
    if not isinstance(text, str):
        raise TypeError(f"text is {type(text).__name__}")
    if reason in _FAILED:
        raise ValueError(f"finish_reason is {reason}")
    # SGLang calls it matched_stop; in both, an end-of-text token is a number.
    ended_by = choice.get("stop_reason", choice.get("matched_stop"))
    stop = ended_by if isinstance(ended_by, str) else None
    logprobs = choice.get("logprobs")
    tokens = read_tokens(logprobs, sampling, processed=processed) if logprobs and sampling.top_logprobs else None
    if tokens and reason != "length" and stop is None:
        tokens = _without_end_text(tokens, text)
    return Completion(
        text=text + stop if stop and sampling.include_stop else text,
        finish_reason="length" if reason == "length" else "stop",
        stop=stop,
        tokens=tokens,
        completion_tokens=_count(choice, usage, tokens, alone=alone),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        index=index,
    )


def _without_end_text(tokens: tuple[Token, ...], text: str) -> tuple[Token, ...]:
    """Empties the end-of-text token's text, which is not in the completion's text either."""
    *others, last = tokens
    if "".join(token.text for token in others) == text:
        return (*others, replace(last, text=""))
    return tokens


def _count(choice: Wire, usage: Wire, tokens: tuple[Token, ...] | None, *, alone: bool) -> int:
    if alone and "completion_tokens" in usage:
        return int(usage["completion_tokens"])
    if choice.get("token_ids") is not None:
        return len(choice["token_ids"])
    if tokens is not None or alone:
        return len(tokens or ())
    raise EngineError(
        "the server does not report the number of tokens of each sample (vLLM's return_token_ids); "
        "set the engine's samples_per_request=1"
    )
