"""Computes expressions of numbers, exactly if possible, with bounded work; no text is passed to `eval`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from verifiers.calculator.tokens import OPERAND_STARTS, Token, attached

Number = Fraction | float
"""Exact, or a float once a root or pi is involved."""

_MOST_TOKENS = 120
_MOST_DEPTH = 40
_MOST_BITS = 1000  # of numerator and denominator: every exact number is a finite float too
_MOST_DIGITS = 40
_MOST_FACTORIAL = 150
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class Unreadable(Exception):  # noqa: N818  not an error: most text is no expression
    """The tokens are not an expression of numbers, or would take too much work."""


@dataclass(frozen=True)
class Reading:
    """How to interpret ambiguous notation.

    Attributes:
        percent: The factor of a per cent sign: 1/100, or 1 if it is only a unit.
        mixed: Whether `2 1/2` in LaTeX is two and a half instead of a product.
        variables: The values of the letters.
    """

    percent: Fraction = Fraction(1, 100)
    mixed: bool = False
    variables: Mapping[str, Fraction] = field(default_factory=dict)


def value(line: Sequence[Token], reading: Reading) -> Number:
    """Returns the value of an expression.

    Raises:
        Unreadable: It has no value that could be computed.
    """
    if not line or len(line) > _MOST_TOKENS:
        raise Unreadable
    parser = _Parser(line, reading)
    try:
        result = parser.sum()
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise Unreadable from error
    if parser.rest or not math.isfinite(_bounded(result)):
        raise Unreadable
    return result


class _Parser:
    """Recursive descent; every method reads one kind of expression from the front of the remaining tokens."""

    def __init__(self, line: Sequence[Token], reading: Reading) -> None:
        self._line, self._reading = line, reading
        self._at = self._depth = 0

    @property
    def rest(self) -> Sequence[Token]:
        """The remaining tokens."""
        return self._line[self._at :]

    def sum(self) -> Number:
        """Reads a sum."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise Unreadable
        result = self._product()
        while sign := self._take("operator", "+", "-"):
            other = self._product()
            result = _bounded(result + other if sign.text == "+" else result - other)
        self._depth -= 1
        return result

    def _product(self) -> Number:
        result = self._signed()
        while True:
            sign = self._take("operator", "*", "/")
            if sign is None and not (self.rest and self.rest[0].kind in OPERAND_STARTS - {"number"}):
                return result
            other = self._signed() if sign else self._power()
            result = _bounded(result / other if sign and sign.text == "/" else result * other)

    def _signed(self) -> Number:
        negative = False
        while sign := self._take("operator", "+", "-"):
            negative ^= sign.text == "-"
        result = self._power()
        return -result if negative else result

    def _power(self) -> Number:
        base = self._postfix()
        if not self._take("operator", "^"):
            return base
        negative = self._take("operator", "-") is not None
        exponent = self._power()
        return _power(base, -exponent if negative else exponent)

    def _postfix(self) -> Number:
        result = self._operand()
        while sign := self._take("postfix"):
            result = result * self._reading.percent if sign.text == "%" else _factorial(result)
        return result

    def _operand(self) -> Number:
        token = self._next()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "constant":
            return math.pi
        if token.kind == "variable" and token.text in self._reading.variables:
            return self._reading.variables[token.text]
        if token.kind == "open":
            return self._group(token)
        if token.kind == "function":
            return _FUNCTIONS[token.text](self)
        raise Unreadable

    def _number(self, token: Token) -> Number:
        number = _literal(token.text)
        fraction = self.rest and self.rest[0].text == "\\frac" and number.denominator == 1
        if fraction and self._reading.mixed:
            return number + Fraction(self._operand())
        return number

    def _group(self, opened: Token) -> Number:
        result = self.sum()
        if self._next().text != _PAIRS[opened.text]:
            raise Unreadable
        return result

    def _argument(self) -> Number:
        """Reads the argument of a LaTeX command: a group, or a number."""
        token = self._next()
        if token.kind == "open":
            return self._group(token)
        if token.kind == "number":
            return _literal(token.text)
        raise Unreadable

    def fraction(self) -> Number:
        r"""Reads `\frac`'s arguments, including `12` for `{1}{2}`."""
        token = self.rest[0] if self.rest else None
        if token is not None and token.kind == "number" and len(token.text) == 2:
            self._next()
            return _literal(token.text[0]) / _literal(token.text[1])
        return _bounded(self._argument() / self._argument())

    def binomial(self) -> Number:
        r"""Reads `\binom`'s arguments."""
        n, k = self._argument(), self._argument()
        return Fraction(math.comb(_small(n), _small(k)))

    def root(self) -> Number:
        r"""Reads `\sqrt`'s arguments."""
        degree: Number = Fraction(2)
        if self.rest and self.rest[0].text == "[" and attached(self._line[self._at - 1], self.rest[0]):
            degree = self._argument()
        return _power(self._argument(), 1 / degree)

    def _take(self, kind: str, *texts: str) -> Token | None:
        token = self.rest[0] if self.rest else None
        if token is None or token.kind != kind or (texts and token.text not in texts):
            return None
        self._at += 1
        return token

    def _next(self) -> Token:
        if self._at >= len(self._line):
            raise Unreadable
        self._at += 1
        return self._line[self._at - 1]


_FUNCTIONS: dict[str, Callable[[_Parser], Number]] = {
    "\\frac": _Parser.fraction,
    "\\binom": _Parser.binomial,
    "\\sqrt": _Parser.root,
}


def _literal(text: str) -> Fraction:
    if len(text) > _MOST_DIGITS:
        raise Unreadable
    return Fraction(text.replace(",", ""))


def _bounded(number: Number) -> Number:
    """Returns the number; raises Unreadable if it is too large to continue with."""
    if isinstance(number, Fraction) and number.numerator.bit_length() + number.denominator.bit_length() > _MOST_BITS:
        raise Unreadable
    return number


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and isinstance(base, Fraction):
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if abs(exponent) * bits > _MOST_BITS:
            raise Unreadable
        return Fraction(base ** int(exponent))
    if base < 0:
        raise Unreadable
    result: float = float(base) ** float(exponent)
    # A root that is a whole number is exact.
    whole = Fraction(round(result)) if isinstance(base, Fraction) and result < 2**52 else None
    if whole is not None and isinstance(exponent, Fraction) and exponent.numerator == 1 and exponent.denominator < 64:
        bits = max(1, whole.numerator.bit_length()) * exponent.denominator
        if bits <= _MOST_BITS and whole**exponent.denominator == base:
            return whole
    return result


def _factorial(number: Number) -> Number:
    return Fraction(math.factorial(_small(number)))


def _small(number: Number) -> int:
    if number != int(number) or not 0 <= number <= _MOST_FACTORIAL:
        raise Unreadable
    return int(number)
