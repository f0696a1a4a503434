"""How large a formula without variables is: what the ends of ranges are ordered by."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from tts.tasks.answers.exact import exact
from tts.tasks.answers.nodes import Apply, Node, Symbol

_CONSTANTS = {r"\pi": math.pi, "e": math.e, r"\infty": math.inf}
_OPERATIONS: dict[str, Callable[..., float]] = {
    "add": lambda *terms: math.fsum(terms),
    "mul": lambda *factors: math.prod(factors),
    "div": lambda above, below: above / below,
    "pow": math.pow,
    "sqrt": math.sqrt,
    "root": lambda inner, degree: math.pow(inner, 1 / degree),
    "ln": math.log,
    "log": math.log,
}


def size(node: Node) -> Fraction | float | None:
    """Returns the value of a number or a formula, exactly where it is rational; None where it is unknown."""
    value = exact(node)
    if value is not None:
        return value
    match node:
        case Symbol(name):
            return _CONSTANTS.get(name)
        case Apply(name, args) if name in _OPERATIONS:
            known = [one for arg in args if (one := size(arg)) is not None]
            return _applied(name, known) if len(known) == len(args) else None
    return None


def _applied(name: str, args: list[Fraction | float]) -> float | None:
    try:
        value = _OPERATIONS[name](*map(float, args))
    except (ArithmeticError, ValueError):
        return None
    return None if math.isnan(value) else value
