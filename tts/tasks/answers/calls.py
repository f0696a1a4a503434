"""Whether a letter before a parenthesis is a function or a factor."""

from __future__ import annotations

from tts.tasks.answers.cursor import Cursor

_FUNCTIONS = frozenset("fghFGHPE")
INVERTED = frozenset("fgh")
"""Functions that have an inverse where they are raised to -1."""
EXPECTATIONS = frozenset(["E", r"\mathbb{E}"])
"""Functions whose argument may stand in brackets."""
_FACTORS = frozenset(["e", "i", r"\pi", "x"])
_SIGNS = frozenset(["+", "-", "pm", "mp"])
_OPERATORS = frozenset(["^", "_", "*", "/"])
_OPENING, _CLOSING = frozenset(["(", "[", "{", r"\{"]), frozenset([")", "]", "}", r"\}"])
_LONGEST = 100
"""Tokens of a function's arguments."""


def is_called(name: str, cursor: Cursor) -> bool:
    """Returns whether a letter is a function of the parenthesis that follows at once: S(2n), but not k(x+1).

    What stands in parentheses without need is no factor: some letters are functions of anything, the others of what is
    no sum.
    """
    return name[0] in _FUNCTIONS or name in EXPECTATIONS or (name not in _FACTORS and not _sum_ahead(cursor))


def _sum_ahead(cursor: Cursor) -> bool:
    depth, before = 0, ""
    for token in cursor.peek(_LONGEST):
        if token.kind == "mark":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0:
            return False
        begins = before in _OPENING or before in _OPERATORS
        if depth == 1 and token.text in _SIGNS and not begins:
            return True
        before = token.text
    return True
