"""Log-probabilities as servers report them: reading, writing, and deriving the sampled distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tts.core.finite import finite
from tts.engines.generating import Sampling, Token

Wire: TypeAlias = Mapping[str, Any]
"""A JSON object from outside: its readers raise KeyError, TypeError or ValueError if it has another form."""


_NOTHING = -9999.0
"""What servers write, or less, for a probability of 0, since JSON has no infinity (vLLM); llama.cpp has the least float."""


def as_sampled(top: Mapping[str, float], chosen: str, sampling: Sampling) -> dict[str, float]:
    """Derives the distribution that was sampled from, from the likeliest tokens' raw log-probabilities.

    Exact if `top_k` is on and at most the number of tokens reported; else the mass of the unreported tokens is
    neglected. (vLLM V0 reported these values, which is why published GenPRM rewards are saturated.)

    Args:
        top: Raw log-probabilities of the likeliest tokens.
        chosen: The token that was sampled; at temperature 0 the only one that could be.
        sampling: Temperature, top-k and top-p that were applied; a repetition penalty cannot be reconstructed.

    Returns:
        Log-probabilities of the same tokens, -inf for those that could not be sampled.
    """
    if sampling.temperature == 0:
        return {token: 0.0 if token == chosen else -math.inf for token in top}
    ranked = sorted(top, key=lambda token: -top[token])
    kept = ranked[: sampling.top_k] if sampling.top_k > 0 else ranked
    scaled = _log_softmax({token: top[token] / sampling.temperature for token in kept})
    mass = 0.0
    nucleus = {}
    for token in kept:
        # The token with which the mass exceeds `top_p` is still kept.
        if mass < sampling.top_p:
            nucleus[token] = scaled[token]
        mass += math.exp(scaled[token])
    normal = _log_softmax(nucleus)
    return {token: normal.get(token, -math.inf) for token in top}


def read_tokens(logprobs: Wire, sampling: Sampling, *, processed: bool = False) -> tuple[Token, ...]:
    """Reads the `logprobs` object of an OpenAI completion (`tokens`, `token_logprobs`, `top_logprobs`) or chat (`content`).

    Args:
        logprobs: The object.
        sampling: How the completion was sampled.
        processed: Whether the server reports the distribution sampled from instead of the model's own.

    Raises:
        KeyError, TypeError, ValueError: The object has neither form.
    """
    if logprobs.get("content") is not None:
        entries = logprobs["content"]
        texts = [entry["token"] for entry in entries]
        chosen = [entry["logprob"] for entry in entries]
        # The likeliest first: of those with the same text (special tokens without one) it counts.
        tops = [{alt["token"]: alt["logprob"] for alt in (entry.get("top_logprobs") or [])[::-1]} for entry in entries]
    else:
        texts, chosen = logprobs["tokens"], logprobs["token_logprobs"]
        tops = logprobs.get("top_logprobs") or [{}] * len(texts)
    sampled = logprobs.get("sampled_logprobs") or [None] * len(texts)
    return tuple(
        _token(text, logprob, top or {}, given, sampling, processed)
        for text, logprob, top, given in zip(texts, chosen, tops, sampled, strict=True)
    )


def write_tokens(tokens: Sequence[Token]) -> dict[str, object]:
    """Writes tokens as the `logprobs` object of an OpenAI completion, with `sampled_logprobs` added."""
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [dict(token.top) for token in tokens],
        # JSON has no infinity.
        "sampled_logprobs": [{t: _finite(lp) for t, lp in token.sampled.items()} for token in tokens],
    }


def _token(
    text: str,
    logprob: float | None,
    reported: Mapping[str, float | None],
    given: Mapping[str, float | None] | None,
    sampling: Sampling,
    processed: bool,
) -> Token:
    if logprob is None:
        logprob = reported.get(text)
    if logprob is None:
        raise ValueError(f"no log-probability of the token {text!r}")
    top = {
        name: lp
        for name, value in reported.items()
        if (lp := _alternative(value, processed or given is not None)) is not None
    }
    # End-of-text tokens and incomplete characters have other names among the alternatives.
    chosen = text if text in top else next((name for name, other in top.items() if other == logprob), text)
    top = {**top, chosen: logprob}
    if given is not None:
        sampled = {token: -math.inf if lp is None else lp for token, lp in given.items()}
    elif processed:
        sampled = dict(top)
    else:
        sampled = as_sampled(top, chosen, sampling)
    return Token(text, logprob, top, sampled)


def _alternative(value: float | None, excluded: bool) -> float | None:
    """Returns the log-probability of an alternative, None if it is none.

    Args:
        value: As reported.
        excluded: Whether a probability of 0 means that the token could not be sampled. Under the model itself no token has
            it: the server has no figure.
    """
    if value is None or value <= _NOTHING:
        return (-math.inf if value is None else value) if excluded else None
    return value


def _finite(value: float) -> float | None:
    return value if finite(value) else None


def _log_softmax(logits: Mapping[str, float]) -> dict[str, float]:
    highest = max(logits.values())
    total = highest + math.log(sum(math.exp(value - highest) for value in logits.values()))
    return {token: value - total for token, value in logits.items()}
