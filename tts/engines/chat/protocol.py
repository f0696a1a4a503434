"""The wire protocol: the request for chat completions, and the completions in its response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tts.core.errors import EngineError
from tts.core.json import JsonObject
from tts.engines.chat.text import Written, cut, joined, spelling, without_reasoning
from tts.engines.generating import Completion, Sampling
from tts.engines.http.counts import number
from tts.engines.logprobs import Wire, read_tokens

CHARACTERS_PER_TOKEN = 4
"""An estimate, where nothing better is known."""

_FAILED = ("abort", "error")
_CUT = ("length", "max_tokens", "content_filter")


@dataclass(frozen=True)
class Expected:
    """What a response is read as.

    Attributes:
        sampling: How the completions were sampled.
        samples: Indices of the requested seeds.
        prompt_tokens: Estimate for a server that does not count them.
        begun: Whether the model continues a turn; its text then begins with no reasoning of its own.
        blank: White space at the end of the prefix that was not sent.
        echoed: The prefix that was sent, if the server repeats it before the rest.
    """

    sampling: Sampling
    samples: range
    prompt_tokens: int
    begun: bool = False
    blank: str = ""
    echoed: str = ""


def write_sampling(sampling: Sampling, seed: int, samples: int) -> JsonObject:
    """Returns the fields of a request that say how to sample; all are sent, since servers' defaults differ."""
    body: JsonObject = {
        "seed": seed,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.stop:
        # Of stop strings that end at the same place the longest counts; servers take the first.
        body["stop"] = [*sorted(sampling.stop, key=len, reverse=True)]
    if sampling.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    # Only token ids (vLLM) show how many tokens each sample has.
    return body | ({"n": samples, "return_token_ids": True} if samples > 1 else {})


def read_answer(answer: Wire, expected: Expected) -> list[Completion]:
    """Reads the completions of a response.

    Raises:
        KeyError, TypeError, ValueError, LookupError, AttributeError: It is malformed, empty, or reports a failure.
        EngineError: It holds other samples than were requested.
    """
    choices = answer.get("choices")
    if not choices:
        raise ValueError(f"no choices: {answer.get('error') or answer!r:.200}")
    places = [choice.get("index", 0) for choice in choices]
    if sorted(places) != list(range(len(expected.samples))):
        raise EngineError(
            f"asked for {len(expected.samples)} samples, the server answered with those of the indices {sorted(places)}"
            + "; set the engine's samples_per_request=1" * (len(expected.samples) > 1)
        )
    usage = answer.get("usage") or {}
    written = [_written(choice, expected) for choice in choices]
    counts = _counts(choices, usage, written)
    return [
        _completion(choice, each, expected, expected.samples[place], usage, count)
        for choice, place, each, count in zip(choices, places, written, counts, strict=True)
    ]


def _completion(choice: Wire, written: Written, expected: Expected, index: int, usage: Wire, count: int) -> Completion:
    reason, sampling = choice.get("finish_reason"), expected.sampling
    if reason in _FAILED:
        raise ValueError(f"finish_reason is {reason}")
    text = written if expected.begun else _apart(written, sampling)
    ended, stop = cut(joined(text, expected.blank), sampling.stop, sampling.include_stop, named_stop(choice))
    return Completion(
        text=ended.text,
        finish_reason="length" if stop is None and reason in _CUT else "stop",
        stop=stop,
        tokens=ended.tokens if sampling.top_logprobs else None,
        completion_tokens=count,
        prompt_tokens=number(usage.get("prompt_tokens") or expected.prompt_tokens),
        index=index,
        reasoning=ended.reasoning,
        unseen_tokens=_unseen(written, ended.text, count),
    )


def _unseen(written: Written, text: str, count: int) -> int:
    """Returns how many of a sample's tokens are not in its text, by the share of the characters."""
    length = len(written.text) + len(written.reasoning)
    return count * (length - len(text)) // length if length > len(text) else 0


def named_stop(choice: Wire) -> object:
    """Returns what the server says ended a text: SGLang in a field of its own; an end-of-text token is a number."""
    return choice.get("stop_reason", choice.get("matched_stop"))


def _apart(written: Written, sampling: Sampling) -> Written:
    """Separates reasoning that the server left in the text, unless the request itself looks for its end."""
    return written if "</think>" in sampling.stop else without_reasoning(written)


def _written(choice: Wire, expected: Expected) -> Written:
    message = choice["message"]
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    content = message.get("content") or ""
    if isinstance(content, list):  # Mistral's parts
        thought = "".join(_part(part.get("thinking")) for part in content) or thought
        content = "".join(_part(part.get("text")) for part in content)
    if not isinstance(content, str):
        raise TypeError(f"content is {type(content).__name__}")
    content = content.removeprefix(expected.echoed)
    logprobs = choice.get("logprobs") or {}
    reported = expected.sampling.top_logprobs and logprobs.get("content")
    tokens = read_tokens(logprobs, expected.sampling) if reported else None
    stopped = isinstance(named_stop(choice), str)
    return Written(content, spelling(content, tokens, stopped=stopped), thought if isinstance(thought, str) else "")


def _part(value: object) -> str:
    """Returns the text of a part of a message, empty for one of another kind."""
    if isinstance(value, list):
        return "".join(_part(each.get("text")) for each in value)
    return value if isinstance(value, str) else ""


def _counts(choices: Sequence[Wire], usage: Wire, written: Sequence[Written]) -> list[int]:
    """Returns the completion tokens of each sample, reasoning included.

    Of several samples, only vLLM tells more than their sum, which is then divided in proportion to their lengths.
    """
    ids = [choice.get("token_ids") for choice in choices]
    if len(choices) > 1 and all(ids):
        return [len(each or ()) for each in ids]
    lengths = [len(each.text) + len(each.reasoning) for each in written]
    if usage.get("completion_tokens") is None:
        return [-(-length // CHARACTERS_PER_TOKEN) for length in lengths]
    total = number(usage["completion_tokens"])
    # Some hosts count reasoning only in the total.
    total = max(total, number(usage.get("total_tokens") or 0) - number(usage.get("prompt_tokens") or 0))
    shares = [total * length // max(1, sum(lengths)) for length in lengths]
    return [shares[0] + total - sum(shares), *shares[1:]]
