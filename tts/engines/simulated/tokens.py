"""A simulated model's tokens: four characters each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tts.engines.generating import Sampling, Token
from tts.engines.logprobs import as_sampled
from tts.engines.simulated.writer import PEAK, Choice

CHARACTERS = 4
_CHOSEN = ""


def count(text: str) -> int:
    """Returns the number of tokens of a text."""
    return -(-len(text) // CHARACTERS)


def tokens(text: str, number: int, choices: tuple[Choice, ...], sampling: Sampling) -> tuple[Token, ...]:
    """Returns the tokens of a completion.

    The token that holds the beginning of a choice's word has the choice's probabilities; the same token with another
    word in its place represents that word. Every other token was the likeliest at its position.

    Args:
        text: The text sampled, a stop string at its end included.
        number: How many tokens were sampled; one more than the text has if they include the end-of-text token.
        choices: The draft's choices.
        sampling: How it was sampled; `top_logprobs` is more than 0.
    """
    plain = _plain_tokens(sampling.temperature, sampling.top_p, sampling.top_k, sampling.top_logprobs)
    found = [plain[text[start : start + CHARACTERS]] for start in range(0, number * CHARACTERS, CHARACTERS)]
    for choice in choices:
        place = choice.at // CHARACTERS
        if place < len(found) and choice.at < len(text):
            found[place] = _choice(found[place].text, choice, sampling)
    return tuple(found)


class _Likeliest(Mapping[str, float]):
    """Log-probabilities of a token and of others that are the same at every position: most are never read."""

    __slots__ = ("_others", "_own", "_text")

    def __init__(self, text: str, own: float, others: Mapping[str, float]) -> None:
        self._text, self._own, self._others = text, own, others

    def __getitem__(self, text: str) -> float:
        return self._own if text == self._text else self._others[text]

    def __iter__(self) -> Iterator[str]:
        yield self._text
        yield from self._others

    def __len__(self) -> int:
        return 1 + len(self._others)


class _PlainTokens(dict[str, Token]):
    """The tokens that were the likeliest at their positions, by text: prose has few different ones."""

    def __init__(self, sampling: Sampling) -> None:
        # Each half as likely as the one before; private-use characters, which no writer produces.
        self._own = math.log(PEAK)
        self._others = {_decoy(i): self._own * (i + 2) for i in range(sampling.top_logprobs - 1)}
        self._others_sampled = as_sampled({_CHOSEN: self._own, **self._others}, _CHOSEN, sampling)
        self._own_sampled = self._others_sampled.pop(_CHOSEN)

    def __missing__(self, text: str) -> Token:
        top = _Likeliest(text, self._own, self._others)
        sampled = _Likeliest(text, self._own_sampled, self._others_sampled)
        token = self[text] = Token(text, self._own, top, sampled)
        return token


@lru_cache(maxsize=16)
def _plain_tokens(temperature: float, top_p: float, top_k: int, top_logprobs: int) -> _PlainTokens:
    return _PlainTokens(Sampling(temperature=temperature, top_p=top_p, top_k=top_k, top_logprobs=top_logprobs))


def _decoy(number: int) -> str:
    return chr(0xE000 + number)


def _choice(text: str, choice: Choice, sampling: Sampling) -> Token:
    at = choice.at % CHARACTERS
    tail = text[at + len(choice.word) :]
    ranked = sorted(choice.probabilities, key=lambda word: -choice.probabilities[word])
    reported = {choice.word, *ranked[: sampling.top_logprobs]}
    top = {
        text if word == choice.word else text[:at] + word + tail: math.log(choice.probabilities[word])
        for word in ranked
        if word in reported
    }
    # The mass left after the choice is negligible, but its tokens need names.
    others = {_decoy(i): -30.0 - i for i in range(sampling.top_logprobs - len(top))}
    top.update(others)
    return Token(text, top[text], top, as_sampled(top, text, sampling))
