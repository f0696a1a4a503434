"""Words that are an answer in themselves, each in one spelling; some are a number, a constant or a set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tts.tasks.answers.building import negative
from tts.tasks.answers.names import FUNCTIONS
from tts.tasks.answers.nodes import Node, Number, Symbol, Text
from tts.tasks.answers.sets import REALS
from tts.tasks.answers.tokens import Token
from tts.tasks.answers.words import number_word

_INFINITY = Symbol(r"\infty")
_NONE = Symbol(r"\emptyset")
_MEANINGS = {
    **dict.fromkeys(["infinity", "positive infinity", "plus infinity"], _INFINITY),
    **dict.fromkeys(["negative infinity", "minus infinity"], negative(_INFINITY)),
    **dict.fromkeys(["all real numbers", "all reals", "the real numbers", "real numbers"], REALS),
    **dict.fromkeys(["no solution", "the empty set", "empty set"], _NONE),
}
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
    number = number_word(spelled) if _WORDS.fullmatch(spelled) else None
    return Number(Fraction(number)) if number is not None else _MEANINGS.get(spelled, Text(spelled))


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
