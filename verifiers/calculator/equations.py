"""Finds the equations of a step: both sides of each equals sign, if it is certain that they are complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifiers.calculator.normal import normal
from verifiers.calculator.tokens import OPERAND_ENDS, OPERAND_STARTS, Token, attached, tokens

Side = Sequence[Token]

_MOST_CHARACTERS = 10_000  # of a step, to bound the work
_MOST_TOKENS = 150  # of a side, more than can be computed
_EXPRESSION = OPERAND_ENDS | OPERAND_STARTS | {"operator"}
_NOT_BEFORE = frozenset(("of", "log", "ln", "sin", "cos", "tan", "gcd", "lcm", "mod", "base", "root"))
_NOT_BEHIND = frozenset(("more", "less", "fewer", "times", "than", "remainder", "with", "mod", "modulo", "base", "and"))
_OTHER_ARITHMETIC = ("mod", "\\equiv", "\\pmod", "base ")


@dataclass(frozen=True)
class Equation:
    """Two sides and the relation between them.

    Attributes:
        left: The expression before the sign, empty if none is certain to be complete.
        right: The expression after the sign.
        relation: `=`, `≈`, `is` or `equals`.
        name: The words before the sign, if they are not an expression: the name that gets a value.
        chained: Whether the left side is everything between this sign and the previous one.
        goes_on: Whether nothing is before the sign, so that it continues the previous line.
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
        """The equation as written, after normalisation."""
        return f"{shown(self.left, self.text)} {self.relation} {shown(self.right, self.text)}"


def shown(side: Side, text: str) -> str:
    """Returns a side as written."""
    return " ".join(text[side[0].start : side[-1].end].split()) if side else ""


def variables(*sides: Side) -> frozenset[str]:
    """Returns the letters in expressions."""
    return frozenset(token.text for side in sides for token in side if token.kind == "variable")


def equations(step: str) -> list[Equation]:
    """Returns the equations of a step in order.

    A step in another arithmetic (a modulus, a base) has none.
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
                right = ()  # "less than 10^2 is 9^2": the words mean more than an equals sign
            chained = before >= 0 and len(left) == i - before - 1 > 0
            goes_on = all(token.kind == "stop" for token in front)
            found.append(Equation(left, right, line[i].text, _name(front), chained, goes_on, text))
    return found


def _named(left: Side, line: Side, text: str) -> bool:
    """Whether a number is only part of a name: "after 20 years =", or of a quantity in another unit: "6 inches ="."""
    if len(left) != 1:
        return False
    before = line[-2] if len(line) > 1 else None
    return (before is not None and before.kind == "word") or text[left[0].end :].strip() != ""


def _left(line: Side) -> Side:
    """Returns the expression at the end of a line, empty if the text before it may belong to it."""
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
        # An expression that a bracket opens is complete, unless the bracket is an argument or a factor.
        behind = line[start - 2] if start > 1 else None
        return () if behind is not None and (behind.kind != "stop" and attached(behind, before)) else run
    if before.kind == "unknown" or before.text in _NOT_BEFORE or attached(before, run[0]) or run[0].kind == "operator":
        return ()
    return run


def _right(line: Side) -> Side:
    """Returns the expression at the beginning of a line, empty if the text after it may belong to it."""
    end = depth = 0
    while end < len(line) and line[end].kind in _EXPRESSION:
        depth += {"open": 1, "close": -1}.get(line[end].kind, 0)
        if depth < 0:
            break
        end += 1
    run = line[:end]
    if run and depth > 0:  # a bracket with words in it: the expression before it is complete if it is set off
        opened = max(i for i, token in enumerate(run) if token.kind == "open")
        run, end = (run[:opened], opened) if opened and not attached(run[opened - 1], run[opened]) else ((), 0)
    behind = line[end] if end < len(line) else None
    if not run or behind is None:
        return run
    return () if behind.kind == "unknown" or behind.text in _NOT_BEHIND else run


def _name(line: Side) -> str:
    """Returns the words, or the letter, at the end of a line: the name to which an equation gives a value."""
    start = len(line)
    while start and line[start - 1].kind == "word":
        start -= 1
    words = [token.text for token in line[start:]]
    alone = not start or line[start - 1].kind in ("stop", "relation")
    if not words and line and line[-1].kind == "variable":
        return line[-1].text if len(line) == 1 or line[-2].kind in ("stop", "word", "relation") else ""
    return " ".join(words[-6:]).lower() if words and alone else ""
