r"""Letters that may depend on an index or on a variable of integration: a_k in a sum over k, v in \int v\,dt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tts.tasks.answers.names import LETTERS
from tts.tasks.answers.tokens import Token

_OVER_INDEX = frozenset(["sum", "prod", "lim"])
_CONSTANTS = frozenset("ei")


def may_depend(tokens: Sequence[Token]) -> bool:
    """Returns whether math-verify would take for a constant what may be none: where it says what a sum or integral is."""
    texts = [token.text for token in tokens]
    indexes = {letter for place, text in enumerate(texts) if text in _OVER_INDEX for letter in _index(texts, place)}
    if any(indexes & _subscript(texts, place) for place in range(1, len(texts)) if texts[place - 1] not in _OVER_INDEX):
        return True
    return any("int" in text for text in texts) and any(_is_unrelated(*part) for part in _integrands(tokens))


def _index(texts: Sequence[str], place: int) -> set[str]:
    """Returns the letter under a sum's sign."""
    start = place + 1
    if texts[start : start + 2] == ["^", "{"] and "}" in texts[start:]:
        start = texts.index("}", start) + 1
    elif texts[start : start + 1] == ["^"]:
        start += 2
    behind = [text for text in texts[start : start + 3] if text not in ("_", "{")]
    return {behind[0]} if behind and behind[0].isalpha() else set()


def _subscript(texts: Sequence[str], place: int) -> set[str]:
    """Returns the letters of the subscript that begins at a place."""
    if texts[place] != "_" or place + 1 == len(texts):
        return set()
    if texts[place + 1] != "{":
        return set(texts[place + 1][:1])
    end = texts.index("}", place) if "}" in texts[place:] else len(texts)
    return {letter for text in texts[place + 2 : end] for letter in text}


def _integrands(tokens: Sequence[Token]) -> Iterator[tuple[set[str], str]]:
    """Yields the letters behind each integral's sign and before its differential, and the differential's variable."""
    parts: list[list[str]] = []
    depth, limits, limit = 0, 0, False
    for token in tokens:
        depth += (token.text == "{") - (token.text == "}")
        if "int" in token.text:
            parts.append([])
            limits = 2
        elif limits and token.text in ("^", "_"):
            limits, limit = limits - 1, True
            continue
        elif limit:
            pass
        elif parts and not depth and (token.text in LETTERS or (token.kind == "word" and not token.upright)):
            parts[-1] += [token.text] if token.text in LETTERS else token.text
        limit = False
    for part in parts:
        if "d" in part[:-1]:
            place = len(part) - 1 - part[::-1].index("d")
            yield set(part[:place]), part[place + 1] if place + 1 < len(part) else ""


def _is_unrelated(letters: set[str], variable: str) -> bool:
    """Returns whether an integrand has other letters than the variable."""
    return bool(letters - _CONSTANTS - {variable})
