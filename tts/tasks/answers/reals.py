r"""The real numbers, and those of one sign: `\mathbb{R}`, `\mathbb{R}^+`, `\mathbb{R}_{\ge 0}`."""

from __future__ import annotations

from tts.tasks.answers.cursor import Cursor
from tts.tasks.answers.nodes import ZERO, Group, Node
from tts.tasks.answers.sets import REALS

_POSITIVE, _NEGATIVE = Group("(", (ZERO, REALS.items[1]), ")"), Group("(", (REALS.items[0], ZERO), ")")
_HALVES = {
    **dict.fromkeys(["^ +", "^ { + }", "_ +", "_ { + }", "_ { > 0 }"], _POSITIVE),
    **dict.fromkeys(["^ -", "^ { - }", "_ -", "_ { - }", "_ { < 0 }"], _NEGATIVE),
    "_ { ge 0 }": Group("[", _POSITIVE.items, ")"),
    "_ { le 0 }": Group("(", _NEGATIVE.items, "]"),
}


def reals(parser: Cursor) -> Node | None:
    """Reads the real numbers, or those of one sign; None where they are others, such as a power."""
    if not parser.sees("^", "_"):
        return REALS
    for marks, half in _HALVES.items():
        if [token.text for token in parser.peek(len(marks.split()))] == marks.split():
            for _ in marks.split():
                parser.next()
            return half
    return None
