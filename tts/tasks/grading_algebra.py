"""Formulas in sympy, and whether they are equal: by simplification where that is at once, else by value.

Numbers are compared relatively, with so many digits that their difference is seen, however small both are. Formulas with
variables are compared at points that no formula is made for: two that agree at all of them to fifty digits are the same.
Runs in the grading process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sympy
from sympy import Abs, Expr, Float, Function, Integer, Pow, Rational, Symbol

DIGITS = 50
MOST_DIGITS = 2000
_LARGEST_POWER_BITS = 1 << 18
_POINTS = tuple(
    tuple(Rational(number, 1009) for number in numbers)
    for numbers in (
        (1723, 2741, 3511, 883, 4423, 1303),
        (-1427, 3307, -911, 2089, -3049, 677),
        (2351, -1193, 1877, -2797, 739, -3461),
        (389, 577, 271, 197, 467, 313),
        (-2617, -1621, -3187, -1087, -2221, -829),
    )
)
_FAR_POINTS = tuple(
    tuple(sign * scale * number for number in _POINTS[0]) for scale, sign in ((10, 1), (10, -1), (3000, 1), (3000, -1))
)
"""For formulas that are put together of several: |x - 9| is 9 - x at all points that are close to 0."""
_INTEGER_POINTS = ((2, 6, 4, 10, 8, 12), (3, -4, 5, 9, -7, 11), (-6, 8, 10, -2, 4, 14))
_COMPLEX_POINTS = tuple(
    tuple(number + sympy.I * next_ for number, next_ in zip(point, point[1:] + point[:1], strict=True))
    for point in _POINTS[:2]
)
_COMPLEX_NAMES = ("z", "w")
_PIECES = (
    Abs,
    sympy.Max,
    sympy.Min,
    sympy.floor,
    sympy.ceiling,
    sympy.sign,
    sympy.arg,
    sympy.asin,
    sympy.acos,
    sympy.atan,
)
_STEPS = (sympy.floor, sympy.ceiling)
_PARTS = (Abs, sympy.re, sympy.im, sympy.arg)
_FEWEST_POINTS = 3
_CONSTANTS = {"e": sympy.E, "i": sympy.I, r"\pi": sympy.pi, r"\infty": sympy.oo}


@dataclass(frozen=True)
class Formula:
    """A formula in sympy.

    Attributes:
        expression: All of it.
        number: Its value where it has no variables: what takes too long to evaluate is this formula's fault.
    """

    expression: Expr
    number: Expr | None


def formula(tree: list[object]) -> Formula:
    """Returns a formula in sympy.

    Args:
        tree: As `tts.tasks.answers.transport.encoded` makes it.

    Raises:
        ValueError: It has an operation in it that sympy is not told of, or no value.
    """
    expression = _expression(tree)
    return Formula(expression, None if expression.free_symbols else expression.evalf(DIGITS))


def _expression(tree: list[object]) -> Expr:
    name, *args = tree
    if name == "number":
        return Rational(int(str(args[0]), 16), int(str(args[1]), 16))
    if name == "symbol":
        return _CONSTANTS.get(str(args[0])) or Symbol(str(args[0]))
    if name not in _OPERATIONS:
        raise ValueError(f"no operation {name}")
    made = _OPERATIONS[str(name)](*(_expression(arg) for arg in args))  # type: ignore[arg-type]
    if made.has(sympy.nan, sympy.zoo):
        raise ValueError("it has no value")
    return made


def equal(one: Formula, other: Formula, _: object) -> bool | None:
    """Returns whether two formulas are equal; None where that cannot be said."""
    if one.expression == other.expression:
        return True
    if any(formula.expression.has(sympy.oo, -sympy.oo) for formula in (one, other)):
        return False
    if one.number is not None and other.number is not None:
        return _equal_numbers(one, other)
    return _agree(one.expression, other.expression)


def between(formula: Formula, low: Formula, high: list[object]) -> bool | None:
    """Returns whether a formula's value is in a range; None where it has none that is real."""
    if formula.number is None:
        return False
    return bool(low.expression <= formula.number < _expression(high)) if formula.number.is_real else None


def proportional(one: Formula, other: Formula, positive: bool) -> bool | None:
    """Returns whether one formula is the other times a number, which is not zero or, on demand, positive."""
    if one.expression.free_symbols != other.expression.free_symbols or one.number is not None:
        return False
    factors = [first / second for first, second in _values(one.expression, other.expression) if second != 0]
    if len(factors) < _FEWEST_POINTS:
        return None
    first = factors[0]
    return first != 0 and all(_near(first, factor) for factor in factors) and (not positive or bool(first > 0))


def is_formula(expression: object) -> bool:
    """Returns whether this has a value, which sets and relations have not."""
    return isinstance(expression, Expr)


def refuted(one: object, other: object) -> bool:
    """Returns whether two expressions have different values: math-verify compares some only to six decimals."""
    if not isinstance(one, Expr) or not isinstance(other, Expr):
        return False
    if not one.free_symbols and not other.free_symbols:
        first, second = (expression.doit().evalf(DIGITS) for expression in (one, other))
        decimals = any(expression.has(Float) for expression in (one, other))
        numbers = first.is_number and second.is_number
        return bool(numbers and not _near(first, second, Float("1e-6") if decimals else _CLOSE))
    pairs = _values(one, other)
    return any(not _near(first, second) for first, second in pairs)


def _equal_numbers(one: Formula, other: Formula) -> bool | None:
    first, second = one.number, other.number
    if first is None or second is None or not (first.is_number and second.is_number) or first.has(sympy.nan):
        return None
    if not _near(first, second):
        return False
    difference = one.expression - other.expression
    if difference == 0:
        return True
    # Alike to fifty digits: the same number, unless more digits tell them apart.
    left = difference.evalf(5, maxn=MOST_DIGITS)
    if any(part._prec > 1 and part != 0 for part in left.atoms(Float)):  # sympy is sure of its digits
        return False
    # Of numbers too large or too small for so many digits the last ones have not been seen.
    seen = Float(10) ** (MOST_DIGITS // 2)
    return True if 1 / seen < Abs(first) < seen else None


def _agree(one: Expr, other: Expr) -> bool | None:
    values = _values(one, other)  # before any arithmetic, which works out the largest powers
    apart = [first - second for first, second in values if not _near(first, second)]
    if apart and all(Abs(difference) < _CLOSE for difference in apart):  # one side is 0, or nearly
        return True if sympy.simplify(one - other) == 0 else None
    if apart:
        return False
    return True if len(values) >= _FEWEST_POINTS or sympy.simplify(one - other) == 0 else None


def _values(one: Expr, other: Expr) -> list[tuple[Expr, Expr]]:
    """Returns the values of both at the points where both have one."""
    variables = sorted(one.free_symbols | other.free_symbols, key=str)
    if len(variables) > len(_POINTS[0]):
        return []
    found = []
    for point in _points(one, other, variables):
        place = dict(zip(variables, point, strict=False))
        first, second = (_value(expression, place) for expression in (one, other))
        if all(value.is_number and value.is_finite for value in (first, second)):
            found.append((first, second))
    return found


def _points(one: Expr, other: Expr, variables: Sequence[Symbol]) -> Iterator[tuple[Expr, ...]]:
    yield from _POINTS

    def has(*kinds: type[Expr]) -> bool:
        return bool(one.has(*kinds) or other.has(*kinds))

    roots = any(power.exp.is_Rational and power.exp.q % 2 == 0 for side in (one, other) for power in side.atoms(Pow))
    if roots or has(*_PIECES):
        yield from _FAR_POINTS
    if has(*_STEPS):
        yield from _INTEGER_POINTS
    if has(*_PARTS) and any(variable.name[0] in _COMPLEX_NAMES for variable in variables):
        yield from _COMPLEX_POINTS


def _value(expression: Expr, place: dict[Symbol, Rational]) -> Expr:
    """Returns a value; what has no variables is left as it is, since sympy would work out powers that were not to be."""
    value = (expression.subs(place) if expression.free_symbols else expression).evalf(DIGITS)
    # Where all digits cancel, sympy cannot compare what is left.
    return Integer(0) if value.is_Float and not value.is_comparable else value


_CLOSE = Float(10) ** -(DIGITS - 15)


def _near(first: Expr, second: Expr, relative: Expr = _CLOSE) -> bool:
    return bool(Abs(first - second) <= relative * sympy.Max(Abs(first), Abs(second)))


_TWO = Integer(2)


def _power(base: Expr, exponent: Expr) -> Expr:
    if isinstance(base, Rational) and isinstance(exponent, Integer):
        bits = (base.p.bit_length() + base.q.bit_length()) * abs(int(exponent))
        if bits > _LARGEST_POWER_BITS and abs(base) != 1:
            return Pow(base, exponent, evaluate=False)
    return base**exponent


def _root(value: Expr, degree: Expr = _TWO) -> Expr:
    if value.is_negative and isinstance(degree, Integer) and degree % 2:
        return -((-value) ** (1 / degree))
    return value ** (1 / degree)


def _factorial(value: Expr) -> Expr:
    if isinstance(value, Integer) and value > 20000:
        return sympy.factorial(value, evaluate=False)
    return sympy.factorial(value)


def _of_integers(name: str) -> Callable[..., Expr]:
    """Returns a function of integers; of variables it is left as it is: sympy would take them for polynomials."""

    def function(*values: Expr) -> Expr:
        if any(value.free_symbols for value in values):
            return Function(name)(*sorted(values, key=str))
        return getattr(sympy, name)(*values)

    return function


def _quotient(top: Expr, bottom: Expr) -> Expr:
    if bottom == 0:
        raise ValueError("division by zero")
    return top / bottom


def _mixed(whole: Expr, top: Expr, bottom: Expr) -> Expr:
    return whole + top / bottom if whole >= 0 else whole - top / bottom


_OPERATIONS: dict[str, Callable[..., Expr]] = {
    "add": sympy.Add,
    "mul": sympy.Mul,
    "div": _quotient,
    "ratio": _quotient,
    "pow": _power,
    "sqrt": _root,
    "root": _root,
    "mixed": _mixed,
    "abs": Abs,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "factorial": _factorial,
    "binomial": sympy.binomial,
    "degree": lambda value: value * sympy.pi / 180,
    "log": sympy.log,
    "ln": sympy.log,
    "exp": sympy.exp,
    "call": lambda name, *args: Function(str(name))(*args),
    "max": sympy.Max,
    "min": sympy.Min,
    "gcd": _of_integers("gcd"),
    "lcm": _of_integers("lcm"),
    "Re": sympy.re,
    "Im": sympy.im,
    "arg": sympy.arg,
    "sgn": sympy.sign,
    **{
        name: getattr(sympy, name)
        for name in ["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth"]
    },
    **{f"arc{name}": getattr(sympy, f"a{name}") for name in ["sin", "cos", "tan", "cot"]},
}
