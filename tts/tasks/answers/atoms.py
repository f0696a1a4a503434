"""The smallest parts of formulas: numbers, letters, functions, brackets, matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from tts.tasks.answers.building import negative, product
from tts.tasks.answers.calls import EXPECTATIONS, INVERTED, is_called
from tts.tasks.answers.cursor import RefusedError, is_differential
from tts.tasks.answers.names import ACCENTS, ALIASES, AXES, CONSTANTS, FUNCTIONS, INVERSES, LETTERS, OF_MANY
from tts.tasks.answers.nodes import MINUS_ONE, TWO, Apply, Group, Matrix, Node, Number, Several, Symbol, latex
from tts.tasks.answers.reals import reals
from tts.tasks.answers.tokens import Token

if TYPE_CHECKING:
    from tts.tasks.answers.expressions import Expressions

_MATRICES = frozenset(["pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"])
_FENCES = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs")}
_OPENING, _CLOSING = {"(": "(", "[": "[", "]": "("}, {")": ")", "]": "]", "[": ")"}
"""Brackets of points and intervals; open ones may be turned round: ]0, 1[."""
_INVERSE = ("^", "{", "-", "1", "}")
_ORDINALS = frozenset(["st", "nd", "rd", "th"])
_TEN = Number(Fraction(10))


def read_atom(parser: Expressions, alone: bool = False) -> Node:
    """Reads an atom.

    Args:
        parser: Where it stands.
        alone: Whether a number is not the whole of a mixed one.
    """
    token = parser.next()
    if token.kind == "number":
        if token.value is None:
            raise RefusedError
        number = Number(token.value, token.decimals)
        return number if alone else _mixed(parser, number)
    return {"word": _word, "command": _command, "begin": _matrix, "mark": _bracket, "end": _refuse}[token.kind](
        parser, token
    )


def _refuse(parser: Expressions, _: Token) -> Node:
    raise parser.refused()


def _mixed(parser: Expressions, whole: Number) -> Node:
    r"""Reads the fraction of a mixed number where a proper one follows: 1 1/4, or 1\frac{1}{4}."""
    start = parser.mark()
    parts: list[Node] = []
    if whole.decimals == 0 and parser.take("frac", kind="command"):
        parts = [parser.argument(), parser.argument()]
    elif whole.decimals == 0 and [token.kind for token in parser.peek(3)] == ["number", "mark", "number"]:
        top, slash, bottom = (parser.next() for _ in range(3))
        parts = [Number(t.value, t.decimals) for t in (top, bottom) if t.value is not None and t.decimals == 0]
        parts = parts if top.blank and slash.text == "/" else []
    values = [part.value for part in parts if isinstance(part, Number) and part.decimals == 0]
    if len(values) == 2 and 0 < values[0] < values[1]:
        return Apply("mixed", (whole, *parts))
    parser.reset(start)
    return whole


def _word(parser: Expressions, token: Token) -> Node:
    name = ALIASES.get(token.text, token.text)
    if name in FUNCTIONS:
        return _function(parser, name)
    if name in CONSTANTS:
        return Symbol(CONSTANTS[name])
    if len(name) == 1:
        return _symbol(parser, rf"\mathbf{{{name}}}" if token.bold and name in AXES else name)
    if is_differential(token):
        raise parser.refused()
    if name in _ORDINALS and not token.blank:
        raise RefusedError
    if token.upright or len(name) > 3 or not name.isascii() or name.startswith("pi") or name.endswith("pi"):
        raise RefusedError
    letters = [token.part(i, i + 1) for i in range(len(name))]
    parser.back(letters[0], *(replace(letter, blank=False) for letter in letters[1:]))
    return read_atom(parser)


def _symbol(parser: Expressions, name: str) -> Node:
    """Reads a symbol's subscript and primes, which are part of its name, and its arguments where it is called."""
    if parser.take("_"):
        below = _spelled(parser) or latex(parser.argument(digits=False))
        if name == "C" and below.isdecimal() and parser.take("^"):
            return Apply("binomial", (Number(Fraction(below)), parser.exponent()))
        name += f"_{{{below}}}"
    while parser.take("'"):
        name += "'"
    if name in INVERTED and [token.text for token in parser.peek(6)] == [*_INVERSE, "("]:
        name += "".join(parser.next().text for _ in _INVERSE)
    ahead = parser.ahead
    if parser.sees("(") and ahead is not None and not ahead.blank and is_called(name, parser):
        parser.next()
        items = parser.items(")")
        if name == "C" and len(items) == 2 and all(isinstance(item, Number) for item in items):
            return Apply("binomial", tuple(items))
        return Apply("call", (Symbol(name), *items))
    if name in EXPECTATIONS and parser.take("["):
        return Apply("call", (Symbol(name), *parser.items("]")))
    return Symbol(name)


def _command(parser: Expressions, token: Token) -> Node:
    name = ALIASES.get(token.text, token.text)
    if name in _READERS:
        return _READERS[name](parser)
    if name in FUNCTIONS:
        return _function(parser, name)
    if name in LETTERS:
        return _symbol(parser, rf"\{name}")
    if name in ACCENTS:
        inner = _spelled(parser) or latex(parser.argument())
        if name == "overline" and len(inner) == 2 and inner.isupper():  # a segment, from either end
            inner = "".join(sorted(inner))
        if (name, inner) == ("mathbb", "R") and (numbers := reals(parser)) is not None:
            return numbers
        axis = name in ("hat", "vec") and inner.removeprefix(r"\mathbf{").removesuffix("}")
        return _symbol(parser, rf"\mathbf{{{axis}}}" if axis in AXES else rf"\{name}{{{inner}}}")
    if name in _FENCES:
        closing, function = _FENCES[name]
        inside = parser.formula_ahead()
        parser.expect(closing, "command")
        return Apply(function, (inside,))
    raise parser.refused()


def _spelled(parser: Expressions) -> str:
    """Reads letters in braces that are no product, as in the names of vectors and digits; empty where there are none."""
    ahead = parser.peek(3)
    if [token.text for token in ahead][::2] != ["{", "}"] or ahead[1].kind != "word" or len(ahead[1].text) < 2:
        return ""
    return [parser.next() for _ in ahead][1].text


def _fraction(parser: Expressions) -> Node:
    return Apply("div", (parser.argument(), parser.argument()))


def _binomial(parser: Expressions) -> Node:
    return Apply("binomial", (parser.argument(), parser.argument()))


def _angle(parser: Expressions) -> Node:
    return Apply("degree", (parser.argument(),))


def _root(parser: Expressions) -> Node:
    degree = _degree(parser)
    return _rooted(read_atom(parser) if parser.sees("(") else parser.argument(), degree)


def _root_sign(parser: Expressions) -> Node:
    """Reads the argument of the character for a root: the number, letter or parenthesis that follows it."""
    degree = _degree(parser)
    return _rooted(parser.argument(digits=False), degree)


def _degree(parser: Expressions) -> Node:
    if not parser.take("["):
        return TWO
    degree = parser.formula_ahead()
    parser.expect("]")
    return degree


def _rooted(inner: Node, degree: Node) -> Node:
    return Apply("sqrt", (inner,)) if degree == TWO else Apply("root", (inner, degree))


def _angle_brackets(parser: Expressions) -> Node:
    return Group("(", tuple(parser.items("rangle", "command")), ")")


def _function(parser: Expressions, name: str) -> Node:
    exponent = parser.exponent() if parser.take("^") else None
    base = parser.argument(digits=False) if parser.take("_") else None
    if exponent is None and parser.take("^"):
        exponent = parser.exponent()
    if exponent == MINUS_ONE and name in INVERSES:
        name, exponent = INVERSES[name], None
    if exponent == MINUS_ONE:  # its inverse, and no quotient
        raise RefusedError
    args = _arguments(parser)
    if (base is not None and name != "log") or (len(args) != 1 and name not in OF_MANY):
        raise parser.refused()
    special = _SPECIAL.get(name)
    made = Apply(name, args) if special is None else special(args[0], base)
    return made if exponent is None else Apply("pow", (made, exponent))


_SPECIAL: dict[str, Callable[[Node, Node | None], Node]] = {
    "sqrt": lambda inner, _: Apply("sqrt", (inner,)),
    "cbrt": lambda inner, _: Apply("root", (inner, Number(Fraction(3)))),
    "log": lambda inner, base: Apply("log", (inner, base or _TEN)),
    "lg": lambda inner, _: Apply("log", (inner, _TEN)),
    "exp": lambda inner, _: Apply("pow", (Symbol("e"), inner)),
}


def _arguments(parser: Expressions) -> tuple[Node, ...]:
    if parser.take("("):
        return tuple(parser.items(")"))
    if parser.sees("{"):
        return (parser.argument(),)
    if parser.take("-"):
        return (negative(_arguments(parser)[0]),)
    factors = [parser.power()]
    while parser.begins_factor() and (parser.ahead is None or parser.ahead.text not in FUNCTIONS):
        factors.append(parser.power())
    if parser.sees("/"):  # sin x/2
        raise RefusedError
    return (product(factors),)


def _matrix(parser: Expressions, token: Token) -> Node:
    if token.text not in _MATRICES and token.text != "vmatrix":
        raise parser.refused()
    rows: list[list[Node]] = [[]]
    with parser.deeper():
        while not parser.take(token.text, kind="end"):
            if parser.take("\\", kind="command"):
                rows.append([])
            elif not parser.take("&"):
                rows[-1].append(parser.formula_ahead())
    rows = [row for row in rows if row]
    if not rows or len({len(row) for row in rows}) > 1:
        raise parser.refused()
    if token.text in ("array", "matrix", "smallmatrix") and len(rows) == len(rows[0]) == 1:
        return rows[0][0]
    return Matrix("matrix" if token.text in _MATRICES else token.text, tuple(map(tuple, rows)))


def _bracket(parser: Expressions, token: Token) -> Node:
    reader = _BRACKETS.get(token.text)
    if reader is None:
        raise parser.refused()
    return reader(parser, token)


def _bars(parser: Expressions, _: Token) -> Node:
    inner = parser.formula_ahead()
    parser.expect("|")
    return Apply("abs", (inner,))


def _braces(parser: Expressions, _: Token) -> Node:
    """Reads a group, or a set in plain text: {1, 2}."""
    items = parser.items("}")
    return items[0] if len(items) == 1 else Several(tuple(items), braces=True)


def _set(parser: Expressions, _: Token) -> Node:
    if parser.take(r"\}"):
        return Symbol(r"\emptyset")
    return Several(tuple(parser.items(r"\}")), braces=True)


def _round(parser: Expressions, token: Token) -> Node:
    items = parser.listed()
    opening, closing = _OPENING[token.text], _CLOSING.get(parser.next().text)
    if closing is None or (len(items) == 1 and opening + closing not in ("()", "[]")):
        raise parser.refused()
    if opening + closing == "[]" and all(isinstance(item, Group) and item.opening == "[" for item in items):
        rows = [item.items for item in items if isinstance(item, Group) and item.closing == "]"]
        if len(items) > 1 and len(rows) == len(items) and len({len(row) for row in rows}) == 1:
            return Matrix("matrix", tuple(rows))
    return items[0] if len(items) == 1 else Group(opening, tuple(items), closing)


_BRACKETS: dict[str, Callable[[Expressions, Token], Node]] = {
    "|": _bars,
    "{": _braces,
    r"\{": _set,
    "(": _round,
    "[": _round,
    "]": _round,
}
_READERS: dict[str, Callable[[Expressions], Node]] = {
    "frac": _fraction,
    "binom": _binomial,
    "sqrt": _root,
    "surd": _root_sign,
    "langle": _angle_brackets,
    "ang": _angle,
}
