"""The statements of a step's equations that can be checked, and whether they hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product

from verifiers.calculator.equations import Equation, Side, equations, shown, variables
from verifiers.calculator.expression import Number, Reading, Unreadable, value

_OPERATIONS = frozenset(("operator", "postfix", "function"))
_POINTS = tuple(Fraction(n, 7) for n in (11, 23, -38))
"""Points at which identities are tested: two polynomials that agree there are almost always equal."""


@dataclass(frozen=True)
class Statement:
    """A statement in a step.

    Attributes:
        text: The statement in words.
        computed: The true value, None if that is not a number.
        holds: Whether it is true, up to the digits written.
    """

    text: str
    computed: Number | None
    holds: bool


def statements(step: str) -> Iterator[Statement]:
    """Yields the statements of a step: about numbers, named quantities and variables.

    Uncertain statements and those that cannot be computed are skipped.
    """
    found = equations(step)
    for equation in found:
        yield from _of_numbers(equation.left, equation.right, equation, equation)
        if equation.chained:
            yield from _of_identity(equation.left, equation.right, equation, equation)
    for first, second in pairwise(found):
        yield from _of_name(first, second)
        yield from _of_solution(first, second)
        if second.goes_on:
            yield from _of_numbers(first.right, second.right, first, second)
            yield from _of_identity(first.right, second.right, first, second)


def _of_numbers(left: Side, right: Side, first: Equation, second: Equation) -> Iterator[Statement]:
    """Yields the statement of `12 * 3 = 36`; if one of several readings is true, it is the one meant.

    Args:
        left: One side.
        right: The side stated to be equal.
        first: The equation that contains `left`.
        second: The equation that contains `right` and whose sign relates them.
    """
    sides = (*left, *right)
    if not left or not right or variables(left, right) or not any(token.kind in _OPERATIONS for token in sides):
        return
    signs = {token.text for token in sides}
    percents = (Fraction(1, 100), Fraction(1)) if "%" in signs else (Fraction(1),)
    mixed = (True, False) if "\\frac" in signs else (False,)
    computed: Number | None = None
    text = f"{shown(left, first.text)} {second.relation} {shown(right, second.text)}"
    for of_left, of_right, is_mixed in product(percents, percents, mixed):
        readings = (Reading(of_left, is_mixed), Reading(of_right, is_mixed))
        try:
            values = value(left, readings[0]), value(right, readings[1])
        except Unreadable:
            continue
        computed = values[0] if computed is None else computed
        units = [_last_place(side, of) for side, of in zip((left, right), readings, strict=True)]
        # 17 / 5 = 3 with a remainder of 2
        quotient = "remain" in second.text and values[1] == math.floor(values[0])
        if quotient or _agree(*values, units, second.relation):
            yield Statement(text, values[0], True)
            return
    # 12 / 4 = 3 * 5 = 15: continuing from a result does not claim that both sides are equal.
    runs_on = len(right) > 1 and right[0].kind == "number"
    if computed is not None and not (runs_on and _same(computed, value(right[:1], Reading()))):
        yield Statement(text, computed, False)


def _of_identity(left: Side, right: Side, first: Equation, second: Equation) -> Iterator[Statement]:
    """Yields the statement of `2x + 3x = 5x` in a chain `y = 2x + 3x = 5x`: that both sides are equal for every x."""
    letters = variables(left)
    if not letters or letters != variables(right) or second.relation != "=":
        return
    try:
        points = [Reading(variables=dict(zip(sorted(letters), _points(n), strict=False))) for n in range(3)]
        pairs = [(value(left, point), value(right, point)) for point in points]
    except Unreadable:
        return
    text = f"{shown(left, first.text)} = {shown(right, second.text)}"
    yield Statement(text, None, all(_same(*pair) for pair in pairs))


def _of_name(first: Equation, second: Equation) -> Iterator[Statement]:
    """Yields the statement of `total = 3 + 4, total = 7`: that 3 + 4 is 7."""
    # Two plain values may be two solutions; a computation and a value are not.
    if first.name and first.name == second.name and any(token.kind == "operator" for token in first.right[1:]):
        yield from _of_numbers(first.right, second.right, first, second)


def _of_solution(first: Equation, second: Equation) -> Iterator[Statement]:
    """Yields the statement of `2x + 4 = 10, 2x = 6`: that both linear equations in one letter have the same solution."""
    letters = variables(first.left, first.right)
    if (
        len(letters) != 1
        or letters != variables(second.left, second.right)
        or {first.relation, second.relation} != {"="}
    ):
        return
    solved = len(first.left) == 1 and not variables(first.right)
    factors = [token.text for token in (*first.right, *second.right)] == ["0", "0"]
    cases = [token.text for token in first.left] == [token.text for token in second.left]
    if solved or factors or cases:  # the second equation is another case
        return
    before, after = (_root(equation, next(iter(letters))) for equation in (first, second))
    if before is not None and after is not None:
        text = f"{second.shown}, where {first.shown}"
        yield Statement(text, before, _agree(before, after, [None, _last_place(second.right, Reading())], "="))


def _root(equation: Equation, letter: str) -> Fraction | None:
    """Returns the solution of a linear equation, None if it is not linear or has no unique solution."""
    if not equation.left or not equation.right:
        return None
    try:
        points = [Reading(variables={letter: Fraction(x)}) for x in range(3)]
        zero, one, two = (value(equation.left, point) - value(equation.right, point) for point in points)
    except Unreadable:
        return None
    if not isinstance(zero, Fraction) or not isinstance(one, Fraction) or one - zero != two - one or one == zero:
        return None
    return zero / (zero - one)


def _points(number: int) -> list[Fraction]:
    """Returns a value for every possible letter, different for every `number`."""
    return [_POINTS[number] + letter * (number + 2) for letter in range(52)]


def _agree(a: Number, b: Number, units: Sequence[Fraction | None], relation: str) -> bool:
    """Whether two sides are equal up to the digits written.

    Args:
        a: The left side's value.
        b: The right side's.
        units: One unit in the last place of each side; None if the side is not a single number.
        relation: An approximate one also accepts rounded whole numbers and a difference of one per cent.
    """
    approximate = relation == "≈"
    if _same(a, b) or math.isclose(a, b, rel_tol=0.01 if approximate else 1e-9):
        return True
    sides = ((a, b, units[0]), (b, a, units[1]))
    return any(unit and (unit < 1 or approximate) and _shown_as(exact, side, unit) for side, exact, unit in sides)


def _shown_as(exact: Number, side: Number, unit: Fraction) -> bool:
    """Whether a side is a number rounded, or truncated, to a multiple of `unit`."""
    difference: Number = exact - side if exact >= 0 else side - exact
    return exact * side >= 0 and -unit / 2 <= difference < unit


def _same(a: Number, b: Number) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    return math.isclose(a, b, rel_tol=1e-9)


def _last_place(side: Side, reading: Reading) -> Fraction | None:
    """Returns one unit in the last place of a single number, None if the side is not a single number."""
    bare = [token for token in side if token.text not in "-+%()[]{}"]
    if len(bare) != 1 or bare[0].kind != "number":
        return None
    places = len(bare[0].text.partition(".")[2])
    return Fraction(1, 10**places) * (reading.percent if "%" in {token.text for token in side} else 1)
