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
    room, largest = 100, 10**12
    words = text.lower().replace("-", " ").split()
    for word in words:
        value = _SMALL.get(word, 0)
        if 0 < value < room or (word == "zero" and len(words) == 1):
            group += value
            room = 10 if value >= 20 else 0  # twenty one, but neither twenty twenty nor one two
        elif word == "hundred" and 0 < group < 100:
            group, room = group * 100, 100
        elif group and _LARGE.get(word, largest) < largest:
            largest, room = _LARGE[word], 100
            total, group = total + group * largest, 0
        elif word != "and" or not (group or total) or word == words[-1]:
            return None
    return total + group if words else None
