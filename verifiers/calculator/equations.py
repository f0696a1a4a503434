"""Finds the equations of a step: what stands on both sides of each equals sign, as far as it is surely all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifiers.calculator.normal import normal
from verifiers.calculator.tokens import OPERAND_ENDS, OPERAND_STARTS, Token, attached, tokens

Side = Sequence[Token]

_MOST_CHARACTERS = 10_000  # of a step; no text costs more
_MOST_TOKENS = 150  # of a side, and more than can be computed
_EXPRESSION = OPERAND_ENDS | OPERAND_STARTS | {"operator"}
_NOT_BEFORE = frozenset(("of", "log", "ln", "sin", "cos", "tan", "gcd", "lcm", "mod", "base", "root"))
_NOT_BEHIND = frozenset(("more", "less", "fewer", "times", "than", "remainder", "with", "mod", "modulo", "base", "and"))
_OTHER_ARITHMETIC = ("mod", "\\equiv", "\\pmod", "base ")


@dataclass(frozen=True)
class Equation:
    """Two sides and what is between them.

    Attributes:
        left: The expression before the sign, empty where there is none that surely stands for itself.
        right: The one behind it.
        relation: `=`, `≈`, `is` or `equals`.
        name: What stands before the sign where that is no expression: the words that are given a value.
        chained: Whether the left side is all that stands between this sign and one before it.
        goes_on: Whether nothing stands before the sign, so that it goes on from the line before.
        text: The line that the sides' tokens are cut from.
    """

    left: Side
    right: Side
    relation: str
    name: str
    chained: bool
    goes_on: bool
    text: str

    @property
    def shown(self) -> str:
        """The equation as it is written, after normalisation."""
        return f"{shown(self.left, self.text)} {self.relation} {shown(self.right, self.text)}"


def shown(side: Side, text: str) -> str:
    """Returns a side as it is written."""
    return " ".join(text[side[0].start : side[-1].end].split()) if side else ""


def variables(*sides: Side) -> frozenset[str]:
    """Returns the letters in expressions."""
    return frozenset(token.text for side in sides for token in side if token.kind == "variable")


def equations(step: str) -> list[Equation]:
    """Returns the equations of a step in their order.

    A step of another arithmetic (a modulus, a base) has none.
    """
    if len(step) > _MOST_CHARACTERS or any(word in step for word in _OTHER_ARITHMETIC):
        return []
    found = []
    for text in normal(step).split("\n"):
        line = tokens(text)
        signs = [i for i, token in enumerate(line) if token.kind == "relation"]
        for before, i in zip([-1, *signs], signs, strict=False):
            front, back = line[max(0, i - _MOST_TOKENS) : i], line[i + 1 : i + 1 + _MOST_TOKENS]
            left, right = _left(front), _right(back)
            if _named(left, front, text[: line[i].start]):
                left = ()
            if line[i].text in ("is", "equals") and any(token.kind == "operator" for token in right):
                right = ()  # "less than 10^2 is 9^2": words that say more than an equals sign
            chained = before >= 0 and len(left) == i - before - 1 > 0
            goes_on = all(token.kind == "stop" for token in front)
            found.append(Equation(left, right, line[i].text, _name(front), chained, goes_on, text))
    return found


def _named(left: Side, line: Side, text: str) -> bool:
    """Whether a number only belongs to the name of a thing: "after 20 years =", or to another unit: "6 inches ="."""
    if len(left) != 1:
        return False
    before = line[-2] if len(line) > 1 else None
    return (before is not None and before.kind == "word") or text[left[0].end :].strip() != ""


def _left(line: Side) -> Side:
    """Returns the expression at the end of a line, nothing where what stands before it may belong to it."""
    start = len(line)
    depth = 0
    while start and line[start - 1].kind in _EXPRESSION:
        depth += {"close": 1, "open": -1}.get(line[start - 1].kind, 0)
        if depth < 0:
            break
        start -= 1
    run = line[start:]
    before = line[start - 1] if start else None
    if run and run[0].kind == "operator" and run[0].text != "-":
        return ()
    if not run or before is None or before.kind in ("stop", "relation"):
        return run
    if before.kind == "open":
        # What a bracket opens stands alone, unless the bracket is an argument's or a factor's.
        behind = line[start - 2] if start > 1 else None
        return () if behind is not None and (behind.kind != "stop" and attached(behind, before)) else run
    if before.kind == "unknown" or before.text in _NOT_BEFORE or attached(before, run[0]) or run[0].kind == "operator":
        return ()
    return run


def _right(line: Side) -> Side:
    """Returns the expression at the beginning of a line, nothing where what stands behind it may belong to it."""
    end = depth = 0
    while end < len(line) and line[end].kind in _EXPRESSION:
        depth += {"open": 1, "close": -1}.get(line[end].kind, 0)
        if depth < 0:
            break
        end += 1
    run = line[:end]
    if run and depth > 0:  # a bracket with words in it: what is before it stands alone where it is set off
        opened = max(i for i, token in enumerate(run) if token.kind == "open")
        run, end = (run[:opened], opened) if opened and not attached(run[opened - 1], run[opened]) else ((), 0)
    behind = line[end] if end < len(line) else None
    if not run or behind is None:
        return run
    return () if behind.kind == "unknown" or behind.text in _NOT_BEHIND else run


def _name(line: Side) -> str:
    """Returns the words, or the letter, at the end of a line: what an equation gives a value to."""
    start = len(line)
    while start and line[start - 1].kind == "word":
        start -= 1
    words = [token.text for token in line[start:]]
    alone = not start or line[start - 1].kind in ("stop", "relation")
    if not words and line and line[-1].kind == "variable":
        return line[-1].text if len(line) == 1 or line[-2].kind in ("stop", "word", "relation") else ""
    return " ".join(words[-6:]).lower() if words and alone else ""
