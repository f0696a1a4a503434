"""The texts of a simulated model: the interface of writers, and their shared parts.

Every step is marked right or wrong: it says `which gives N.`, and N is a multiple of 7 exactly while the solution is
correct. Policies' writers set the mark and verifiers' writers read it, so that a simulated verifier can have a given
accuracy without knowing the problem.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from tts.engines.generating import Sampling

_MODULUS = 7
_MARK = re.compile(r"which gives (\d+)\.")

PEAK = 0.5
"""Probability of the likeliest token at positions without a `Choice`."""


@dataclass(frozen=True)
class Choice:
    """A word of a draft with its alternatives.

    Attributes:
        at: Index in the draft where the word begins.
        word: The word.
        probabilities: The model's own probabilities of the word and of its alternatives.
    """

    at: int
    word: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Draft:
    """What a model would write up to its end of text, without a stop string or a limit.

    Attributes:
        text: The text.
        choices: Words whose probabilities matter, in order.
    """

    text: str
    choices: tuple[Choice, ...] = ()


class Writer(Protocol):
    """Produces the texts of a simulated model."""

    def write(self, prompt: str, seed: int, sampling: Sampling) -> Draft:
        """Returns the model's continuation of a prompt; equal arguments give the same draft."""


def greedy(sampling: Sampling) -> bool:
    """Whether only the likeliest token can be sampled, so that the seed has no effect."""
    return sampling.temperature == 0 or sampling.top_k == 1 or sampling.top_p <= PEAK


def dice(*parts: object) -> random.Random:
    """Returns random numbers that depend only on `parts`."""
    text = "\0".join(map(str, parts))
    return random.Random(int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"))


def mark(right: bool, rng: random.Random) -> str:
    """Returns the end of a step of a correct or an incorrect solution."""
    # int(random()) instead of randrange(): a fifth of the time.
    number = _MODULUS * int(10 + rng.random() * 133)
    return f"which gives {number if right else number + int(1 + rng.random() * (_MODULUS - 1))}."


def last_mark(text: str) -> bool | None:
    """Whether the last marked step of a text is correct; None if no step is marked."""
    start = text.rfind("which gives ")
    while start >= 0:
        found = _MARK.match(text, start)
        if found:
            return int(found[1]) % _MODULUS == 0
        start = text.rfind("which gives ", 0, start)
    return None


_WORDS = (
    "the sum of both sides is taken again so we may add what remains and compare it with our first line then use this "
    "value to find each term since every factor divides evenly here one can rewrite that as a product and simplify"
)


def _prose(characters: int) -> str:
    rng, words = random.Random("prose"), _WORDS.split()
    return " ".join(rng.choice(words) for _ in range(characters // 4))


_PROSE = _prose(1 << 18)


def prose(characters: int, rng: random.Random) -> str:
    """Returns about `characters` characters of meaningless words, without line ends or full stops."""
    start = _PROSE.index(" ", int(rng.random() * len(_PROSE) / 2)) + 1
    end = _PROSE.index(" ", start + min(characters, len(_PROSE) // 4))
    return _PROSE[start:end]


def length(mean: float, spread: float, rng: random.Random) -> float:
    """Returns a length from the log-normal distribution with this mean and standard deviation `spread` of its logarithm."""
    return mean * rng.lognormvariate(-spread * spread / 2, spread)
