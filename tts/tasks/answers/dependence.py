r"""Letters that may depend on an index or on a variable of integration: a_k in a sum over k, v in \int v\,dt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    behind = [text for text in texts[place + 1 : place + 4] if text not in ("_", "{")]
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
    parts: list[str] = []
    for token in tokens:
        if "int" in token.text:
            parts.append("")
        elif parts and token.kind == "word" and not token.upright:
            parts[-1] += token.text
    for part in parts:
        before, differential, variable = part.rpartition("d")
        if differential and variable:
            yield set(before), variable[0]


def _is_unrelated(letters: set[str], variable: str) -> bool:
    """Returns whether an integrand has letters, and not the variable."""
    return bool(letters - _CONSTANTS) and variable not in letters
