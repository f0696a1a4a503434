"""Numbers in English words."""

from __future__ import annotations

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: number for number, word in zip(range(20, 100, 10), _TENS, strict=True)},
}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


def number_word(text: str) -> int | None:
    """Returns the number that English words say, None where they say none: `twenty-one`, `one hundred and five`."""
    total = group = 0
    words = text.lower().replace("-", " ").split()
    for word in words:
        if word in _SMALL:
            group += _SMALL[word]
        elif word == "hundred" and group:
            group *= 100
        elif word in _LARGE and group:
            total, group = total + group * _LARGE[word], 0
        elif word != "and" or not (group or total):
            return None
    return total + group if words else None
