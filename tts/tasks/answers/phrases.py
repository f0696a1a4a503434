"""Words that are an answer in themselves, each in one spelling; some are a number, a constant or a set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tts.tasks.answers.building import negative
from tts.tasks.answers.names import FUNCTIONS
from tts.tasks.answers.nodes import ZERO, Apply, Group, Node, Number, Symbol, Text
from tts.tasks.answers.sets import REALS
from tts.tasks.answers.tokens import Token
from tts.tasks.answers.words import number_word

_INFINITY = Symbol(r"\infty")
_POSITIVE = Group("(", (ZERO, _INFINITY), ")")
_NONE = Symbol(r"\emptyset")
_MEANINGS = {
    **dict.fromkeys(["infinity", "positive infinity", "plus infinity"], _INFINITY),
    **dict.fromkeys(["negative infinity", "minus infinity"], negative(_INFINITY)),
    **dict.fromkeys(["all real numbers", "all reals", "the real numbers", "real numbers"], REALS),
    **dict.fromkeys(["all positive real numbers", "positive real numbers", "all positive reals"], _POSITIVE),
    **dict.fromkeys(["no solution", "the empty set", "empty set"], _NONE),
}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10,
}  # fmt: skip
"""What is a fraction behind a number in words; only half is one alone."""
_SPELLINGS = {"dne": "does not exist", "doesn't exist": "does not exist"}
_WORDS = re.compile(r"[a-z]+(?:[- ][a-z]+)*")
_NO_SOLUTION = re.compile(r"(?:there (?:is|are) )?(no (?:[a-z]+ )?solution)s?(?: exists?)?")


def _said(words: str) -> Node:
    """Returns what words say: a number, a constant, a set, or themselves.

    Args:
        words: In any case, with single blanks.
    """
    spelled = words.casefold()
    nothing = _NO_SOLUTION.fullmatch(spelled)
    spelled = nothing[1] if nothing else _SPELLINGS.get(spelled, spelled)
    sign, _, rest = spelled.partition(" ")
    number = _number(rest if sign in ("negative", "minus") else spelled)
    if number is not None:
        return negative(number) if rest and sign in ("negative", "minus") else number
    return _MEANINGS.get(spelled, Text(spelled))


def _number(words: str) -> Node | None:
    """Reads a number or a fraction in words: twenty-one, three quarters, half."""
    if not _WORDS.fullmatch(words):
        return None
    number = number_word(words)
    if number is not None:
        return Number(Fraction(number))
    *above, below = words.replace("-", " ").split()
    count = number_word(" ".join(above)) if above != ["a"] and above else 1
    name = below if count == 1 else _singular(below)  # two fifths; twenty-fifth is no fraction
    parts = _PARTS.get(name)
    if not parts or not count or not (above or name == "half"):
        return None
    return Apply("div", (Number(Fraction(count)), Number(Fraction(parts))))


def _singular(plural: str) -> str:
    return "half" if plural == "halves" else plural.removesuffix("s") * plural.endswith("s")


def phrase(tokens: Sequence[Token]) -> Node | None:
    """Returns words that are no formula, None where these are none: words of four letters, several of two, or a text."""
    words = [token for token in tokens if token.kind == "word"]
    others = [token for token in tokens if token.kind != "word"]
    text = " ".join("".join((" " if token.blank else "") + token.text for token in tokens).strip(" .").split())
    if words and not others and (meant := _said(text)) != Text(text.casefold()):
        return meant
    if not words or any(token.text not in ("-", "'", ".", "(", ")") or token.kind != "mark" for token in others):
        return None
    texts = [token.text for token in words]
    if any(text in FUNCTIONS or text in ("pi", "infinity", "inf", "oo") for text in texts):
        return None
    upright = all(token.upright for token in words)
    if any(not token.text.isascii() for token in words) or (
        (upright and any(len(text) > 1 for text in texts))
        or (len(texts) == 1 and (len(texts[0]) > 3 or _is_short_word(texts[0])))
        or (len(texts) > 1 and all(len(text) > 1 for text in texts) and any(token.blank for token in words[1:]))
        or (len(texts) > 1 and any(len(text) > 3 for text in texts))
    ):
        return _said(text)
    return None


def _is_short_word(text: str) -> bool:
    """Returns whether two or three letters are a word and no product: a name, or yes and no."""
    return (
        text.lower() in _SHORT_WORDS
        or _ROMAN.fullmatch(text) is not None
        or (len(text) > 1 and text[0].isupper() and text[1:].islower())
    )


_ROMAN = re.compile("[IVX]{2,}")
_SHORT_WORDS = frozenset(["yes", "no", "odd", "one", "two", "six", "ten", "all", "any", "red"])
