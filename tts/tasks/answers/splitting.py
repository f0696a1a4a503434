"""Where the elements of a list end: brackets and environments, and what stands between elements."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.tokens import Token

_SEPARATORS = frozenset([",", ";", "、", "&", "；"])
_CONJUNCTIONS = frozenset(["and", "且", "or", "和", "或", "与", "及", "或者", "以及", "und", "oder", "et", "ou", "y"])
_OPENING, _CLOSING = frozenset(["(", "[", "{", r"\{"]), frozenset([")", "]", "}", r"\}"])


def unwrapped(tokens: list[Token]) -> list[Token]:
    """Takes away braces around everything."""
    while len(tokens) > 2 and tokens[0].text == "{" and _closes(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closes(tokens: Sequence[Token]) -> int:
    """Returns the place of the bracket that closes the first token's, or the length where none does."""
    depth = 0
    for place, token in enumerate(tokens):
        if token.kind == "mark":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0:
            return place
    return len(tokens)


def depths_of(tokens: Sequence[Token]) -> list[int]:
    """Returns how many brackets and environments are open around each token."""
    depths, depth = [], 0
    for token in tokens:
        closing = token.kind == "end" or (token.kind == "mark" and token.text in _CLOSING)
        closing = closing or (token.kind == "command" and token.text in ("rangle", "rvert"))
        closing = closing and not (token.text == "]" and depth == 0)  # ]0, 1[
        depth -= closing and depth > 0
        depths.append(depth)
        opening = token.kind == "begin" or (token.kind == "mark" and token.text in _OPENING)
        opening = opening or (token.text == "]" and not closing)
        depth += opening or (token.kind == "command" and token.text in ("langle", "lvert"))
    return depths


def split_list(tokens: Sequence[Token], separators: frozenset[str] | None = None) -> list[list[Token]]:
    """Returns the elements of a list without brackets; one where it is none.

    Args:
        tokens: The tokens.
        separators: What stands between the elements; None for whatever does.
    """
    parts: list[list[Token]] = [[]]
    for token, depth in zip(tokens, depths_of(tokens), strict=True):
        separates = depth == 0 and (
            (token.kind == "mark" and token.text in _SEPARATORS)
            or (token.kind == "word" and token.text.lower() in _CONJUNCTIONS and _stands_apart(token))
            or (token.kind == "command" and token.text == "\\")
        )
        if separates and (separators is None or token.text.lower() in separators):
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part] or [[]]


def _stands_apart(token: Token) -> bool:
    """Returns whether a word is one, and no product of letters."""
    return token.upright or not token.text.isascii() or (token.blank and token.text != "y")


def has_ellipsis(tokens: Sequence[Token]) -> bool:
    """Returns whether something goes on."""
    return any(token.kind == "command" and token.text == "ldots" for token in tokens)
