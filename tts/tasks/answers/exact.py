"""Exact values: of formulas that are rational numbers, and of decimals with the precision in which they are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from tts.tasks.answers.nodes import Apply, Node, Number

MOST_BITS = 1 << 18
"""Of a number's numerator and denominator together; larger ones are left to the grading process, which can be stopped."""
_ENOUGH_DIGITS = 6
_DIGITS_OF_A_FLOAT = 16


class TooLargeError(ArithmeticError):
    """A number has too many digits to be worked out here."""


def exact(node: Node) -> Fraction | None:
    """Returns the value of a formula that is a rational number, None where it is none or has too many digits."""
    try:
        return _value(node)
    except (ArithmeticError, ValueError):
        return None


def rational(node: Node, otherwise: type[Exception]) -> Fraction:
    """Returns the value of a formula that is a rational number.

    Args:
        node: The formula.
        otherwise: Raised where it is none.

    Raises:
        TooLargeError: It has too many digits.
    """
    try:
        return _value(node)
    except TooLargeError:
        raise
    except (ArithmeticError, ValueError) as error:
        raise otherwise from error


def written_decimal(node: Node) -> Number | None:
    r"""Returns a number that is written as a decimal, also one in scientific notation (`6.3\times10^{-7}`); else None."""
    if isinstance(node, Number):
        return node if node.decimals else None
    if isinstance(node, Apply) and node.name == "mul" and len(node.args) == 2:
        numbers = [arg for arg in node.args if isinstance(arg, Number)]
        powers = [arg for arg in node.args if isinstance(arg, Apply) and arg.name == "pow"]
        if len(numbers) == len(powers) == 1 and numbers[0].decimals is not None:
            base, exponent = powers[0].args
            ten = isinstance(base, Number) and base.value == 10
            if ten and isinstance(exponent, Number) and exponent.decimals == 0 and abs(exponent.value) < 1000:
                decimals = numbers[0].decimals - int(exponent.value)
                value = numbers[0].value * Fraction(10) ** int(exponent.value)
                return Number(value, decimals) if decimals > 0 else None
    return None


def rounded(number: Number) -> tuple[Fraction, Fraction] | None:
    """Returns the values that a decimal may stand for, as a range; None where it has too few digits to tell.

    It needs six significant digits and six decimals. With seven decimals it may be cut off instead of rounded, unless it
    ends in nines, and with sixteen digits it is a computer's, whose last one is not sure.
    """
    decimals, size = number.decimals or 0, abs(number.value)
    digits = str(int(size * Fraction(10) ** decimals))
    if min(decimals, len(digits)) < _ENOUGH_DIGITS:
        return None
    last = Fraction(1, 10**decimals)
    cut_off = decimals > _ENOUGH_DIGITS and not digits.endswith("9" * _ENOUGH_DIGITS)
    below, above = last / 2, last if cut_off else last / 2
    if len(digits) >= _DIGITS_OF_A_FLOAT:
        below = above = 2 * last
    ends = size - below, size + above
    return ends if number.value >= 0 else (-ends[1], -ends[0])


def terminates(value: Fraction) -> bool:
    """Returns whether a number can be written as a decimal, exactly."""
    return pow(10, value.denominator.bit_length(), value.denominator) == 0


def _value(node: Node) -> Fraction:
    if isinstance(node, Number):
        return node.value
    if not isinstance(node, Apply) or node.name not in _OPERATIONS:
        raise ValueError
    value = _OPERATIONS[node.name]([_value(arg) for arg in node.args])
    if _bits(value) > MOST_BITS:
        raise TooLargeError
    return value


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _integer(value: Fraction, most: int) -> int:
    if value.denominator != 1 or abs(value) > most:
        raise TooLargeError
    return int(value)


def _power(args: Sequence[Fraction]) -> Fraction:
    base, exponent = args
    if exponent.denominator != 1:
        if base < 0:
            raise ValueError
        return _root(
            [base**exponent.numerator if abs(exponent.numerator) < 100 else _refuse(), Fraction(exponent.denominator)]
        )
    if abs(exponent) * max(1, _bits(base)) > MOST_BITS and abs(base) != 1:
        raise TooLargeError
    return base ** int(exponent)


def _refuse() -> Fraction:
    raise TooLargeError


def _root(args: Sequence[Fraction]) -> Fraction:
    value, degree = args[0], _integer(args[1], 64) if len(args) > 1 else 2
    if degree < 1 or (value < 0 and degree % 2 == 0):
        raise ValueError
    return Fraction(_integer_root(value.numerator, degree), _integer_root(value.denominator, degree))


def _integer_root(value: int, degree: int) -> int:
    if value < 0:
        return -_integer_root(-value, degree)
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    if low**degree != value:
        raise ValueError
    return low


def _mixed(args: Sequence[Fraction]) -> Fraction:
    whole, top, bottom = args
    return whole + (top / bottom if whole >= 0 else -top / bottom)


def _log(args: Sequence[Fraction]) -> Fraction:
    value, base = args
    if base <= 0 or base == 1 or value <= 0:
        raise ValueError
    for exponent in range(-64, 65):
        if base**exponent == value:
            return Fraction(exponent)
    raise ValueError


def _quotient(args: Sequence[Fraction]) -> Fraction:
    top, bottom = args  # a ratio of three numbers is no number
    return top / bottom


_OPERATIONS: dict[str, Callable[[Sequence[Fraction]], Fraction]] = {
    "add": lambda args: sum(args, Fraction(0)),
    "mul": lambda args: math.prod(args, start=Fraction(1)),
    "div": _quotient,
    "ratio": _quotient,
    "pow": _power,
    "sqrt": _root,
    "root": _root,
    "mixed": _mixed,
    "abs": lambda args: abs(args[0]),
    "floor": lambda args: Fraction(math.floor(args[0])),
    "ceil": lambda args: Fraction(math.ceil(args[0])),
    "factorial": lambda args: Fraction(math.factorial(_integer(args[0], 5000))),
    "binomial": lambda args: Fraction(math.comb(_integer(args[0], 5000), _integer(args[1], 5000))),
    "gcd": lambda args: Fraction(math.gcd(*(_integer(arg, 10**30) for arg in args))),
    "lcm": lambda args: Fraction(math.lcm(*(_integer(arg, 10**30) for arg in args))),
    "max": max,
    "min": min,
    "log": _log,
}
