r"""Rational functions compared by their values modulo large primes, at a place that no formula is made for.

Nothing is worked out: 3^{2^{100}}, which no memory holds, has a residue at once. Two residues that differ prove that the
formulas do. Formulas that differ have the same residues modulo all primes with a probability below 10^{-100} (J. Schwartz,
"Fast probabilistic algorithms for verification of polynomial identities", 1980).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tts.tasks.answers.exact import TooLargeError, rational
from tts.tasks.answers.logic import Verdict
from tts.tasks.answers.nodes import Apply, Node, Number, Symbol

_LARGEST_FACTORIAL = 100_000


@dataclass(frozen=True)
class _Field:
    """The integers modulo a prime.

    Attributes:
        prime: Of 128 bits; it leaves 1 when divided by 4.
        i: A number whose square is -1.
    """

    prime: int
    i: int


_FIELDS = (
    _Field(243682308025619828106876328075823663497, 65698964904869535474431485930339624816),
    _Field(290062908502485019309280520656779887469, 36860607880754819493878555618063583374),
    _Field(260309708028918888931955176642356412273, 161373514390764025705341801123180363116),
)


class NoResidueError(ValueError):
    """A formula is no rational function, or has no value."""


def identical(one: Node, other: Node) -> Verdict:
    """Returns whether two rational functions are the same; None where one has a power too large even for this.

    Numbers, `e` and pi are among their variables, `i` is the imaginary unit.

    Raises:
        NoResidueError: One is no rational function.
    """
    try:
        return all(_residue(one, field) == _residue(other, field) for field in _FIELDS)
    except TooLargeError:
        return None


def _residue(node: Node, field: _Field) -> int:
    match node:
        case Number(value):
            return _quotient([value.numerator, value.denominator], field)
        case Symbol("i"):
            return field.i
        case Symbol(name) if name != r"\infty":
            return int.from_bytes(hashlib.sha256(name.encode()).digest()) % field.prime
        case Apply("pow", (base, exponent)):
            return _power(_residue(base, field), rational(exponent, NoResidueError), field)
        case Apply("factorial" | "binomial" as name, args):
            return _COUNTS[name](list(map(_count, args)), field)
        case Apply(name, args) if name in _OPERATIONS:
            return _OPERATIONS[name]([_residue(arg, field) for arg in args], field)
    return _residue(Number(rational(node, NoResidueError)), field)


def _count(node: Node) -> int:
    value = rational(node, NoResidueError)
    if value.denominator != 1 or not 0 <= value <= _LARGEST_FACTORIAL:
        raise NoResidueError
    return int(value)


def _power(base: int, exponent: Fraction, field: _Field) -> int:
    if exponent.denominator != 1 or (base == 0 and exponent <= 0):
        raise NoResidueError
    return pow(base, int(exponent) % (field.prime - 1), field.prime)


def _quotient(args: Sequence[int], field: _Field) -> int:
    top, bottom = args
    if bottom % field.prime == 0:
        raise NoResidueError
    return top * pow(bottom, -1, field.prime) % field.prime


def _product(args: Sequence[int], field: _Field) -> int:
    value = 1
    for arg in args:
        value = value * arg % field.prime
    return value


def _factorial(args: Sequence[int], field: _Field) -> int:
    return _product(range(2, args[0] + 1), field)


def _binomial(args: Sequence[int], field: _Field) -> int:
    n, k = args
    return _quotient([_product(range(n - k + 1, n + 1), field), math.factorial(k)], field) if k <= n else 0


_Operation = Callable[[Sequence[int], _Field], int]
_COUNTS: dict[str, _Operation] = {"factorial": _factorial, "binomial": _binomial}
_OPERATIONS: dict[str, _Operation] = {
    "add": lambda args, field: sum(args) % field.prime,
    "mul": _product,
    "div": _quotient,
}
