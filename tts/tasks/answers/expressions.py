"""Formulas: tokens to trees, by precedence. What is no formula is refused, never read in part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from tts.tasks.answers.nodes import MINUS_ONE, ONE, TWO, Apply, Group, Matrix, Node, Number, Several, Symbol, latex
from tts.tasks.answers.tokens import Kind, Token

DEEPEST = 60
"""Nested brackets, exponents and the like; deeper is no answer."""

FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "ln",
        "lg",
        "log",
        "exp",
        "gcd",
        "lcm",
        "max",
        "min",
        "det",
        "arg",
        "Re",
        "Im",
        "sgn",
        "operatorname",
        "sqrt",
        "cbrt",
        "abs",
    ]
)
_ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "arcsec": "arcsec"}
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
_CONSTANTS = {"pi": r"\pi", "infinity": r"\infty", "Infinity": r"\infty", "inf": r"\infty", "oo": r"\infty"}
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "infty",
        "emptyset",
        "aleph",
        "partial",
        "nabla",
    ]
)
_ACCENTS = frozenset(
    ["hat", "vec", "bar", "overline", "tilde", "dot", "ddot", "widetilde", "mathbb", "mathcal", "mathfrak", "mathscr"]
)
_MATRICES = dict.fromkeys(("pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"), "matrix")
_ROUND = {"(": ")", "[": "]", "]": "[", r"\{": r"\}"}
_BRACKETS = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs")}
_STOPS = frozenset(
    [
        "pm",
        "mp",
        "cup",
        "cap",
        "setminus",
        "rangle",
        "rfloor",
        "rceil",
        "rvert",
        "times",
        "cdot",
        "div",
        "choose",
        "over",
        "to",
        "circ",
        "degree",
        "\\",
    ]
)
"""What ends a product."""
_SINGLE = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "ln",
        "lg",
        "log",
        "exp",
        "abs",
        "sqrt",
        "cbrt",
    ]
)
_CALLED = frozenset("fghFGHP")
"""Letters that are functions where a parenthesis follows at once."""


class Refused(ValueError):
    """This is no formula that is understood.

    Args:
        formula: Whether it may still be one that math-verify reads: not where words or an ambiguous notation are in it.
    """

    def __init__(self, formula: bool = False) -> None:
        super().__init__()
        self.formula = formula


def parse(tokens: Sequence[Token]) -> Node:
    """Returns the tree of a formula: a number, an expression, a set, a union of intervals, a matrix.

    Raises:
        Refused: It is none.
    """
    parser = _Parser(tokens)
    node = parser.ratio()
    if parser.ahead is not None:
        raise Refused(parser.formula)
    return node


def negative(node: Node) -> Node:
    """Returns a tree with its sign changed."""
    if isinstance(node, Number):
        return replace(node, value=-node.value)
    return product((MINUS_ONE, node))


def product(factors: Sequence[Node]) -> Node:
    """Returns a product in the order that all products of these factors share; signs are one factor in front."""
    flat = [
        part
        for factor in factors
        for part in (factor.args if isinstance(factor, Apply) and factor.name == "mul" else (factor,))
    ]
    signs = sum(isinstance(factor, Number) and factor.value < 0 for factor in flat)
    flat = [replace(f, value=abs(f.value)) if isinstance(f, Number) and f.value < 0 else f for f in flat]
    flat = [factor for factor in flat if factor != ONE]
    if signs % 2:
        number = next((i for i, factor in enumerate(flat) if isinstance(factor, Number)), None)
        if number is None:
            flat.insert(0, MINUS_ONE)
        else:
            flat[number] = negative(flat[number])
    return _ordered("mul", flat) if flat else ONE


def total(terms: Sequence[Node]) -> Node:
    """Returns a sum in the order that all sums of these terms share."""
    flat = [
        part for term in terms for part in (term.args if isinstance(term, Apply) and term.name == "add" else (term,))
    ]
    return _ordered("add", flat)


def _ordered(name: str, args: Sequence[Node]) -> Node:
    return args[0] if len(args) == 1 else Apply(name, tuple(sorted(args, key=latex)))


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = list(tokens)
        self._place = 0
        self._depth = 0
        words = any(token.kind == "word" and len(token.text) > 3 for token in tokens)
        self.formula = not words and all(token.kind != "number" or token.value is not None for token in tokens)

    @property
    def ahead(self) -> Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _is(self, *texts: str, kind: str = "mark") -> bool:
        token = self.ahead
        return token is not None and token.kind == kind and token.text in texts

    def _next(self) -> Token:
        token = self.ahead
        if token is None:
            raise Refused(self.formula)
        self._place += 1
        return token

    def _take(self, *texts: str, kind: str = "mark") -> bool:
        found = self._is(*texts, kind=kind)
        self._place += found
        return found

    def _expect(self, text: str, kind: str = "mark") -> None:
        if not self._take(text, kind=kind):
            raise Refused(self.formula)

    def ratio(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Refused
        parts = [self._sets()]
        while self._take(":") or self._take("to", kind="word"):
            parts.append(self._sets())
        self._depth -= 1
        node = parts[0] if len(parts) == 1 else Apply("ratio", tuple(parts))
        for command, name in (("choose", "binomial"), ("over", "div")):
            if self._take(command, kind="command"):
                node = Apply(name, (node, self._sets()))
        return node

    def _sets(self) -> Node:
        node = self._sum()
        while True:
            if self._is("cup", "cap", kind="command"):
                name = {"cup": "union", "cap": "intersection"}[self._next().text]
                node = _joined(name, node, self._sum())
            elif self._take("setminus", kind="command"):
                node = Apply("without", (node, self._sum()))
            elif self._is("U", kind="word") and isinstance(node, Group):
                self._next()
                node = _joined("union", node, self._sum())
            else:
                return node

    def _sum(self) -> Node:
        node: Node | None = None
        terms: list[Node] = []
        while True:
            if self._is("pm", "mp", kind="command"):
                name = self._next().text
                node = Apply(name, (total(terms) if terms else Number(Fraction(0)), self._term()))
                terms = [node]
            elif self._is("+", "-") or not terms:
                sign = self._next().text if self._is("+", "-") else "+"
                term = self._term()
                terms.append(negative(term) if sign == "-" else term)
            else:
                return total(terms)

    def _term(self) -> Node:
        factors, divided = [self._signed()], False
        while True:
            if self._take("*") or self._take("times", "cdot", kind="command"):
                factors.append(self._signed())
                divided = False
            elif self._take("/") or self._take("div", kind="command"):
                factors, divided = [Apply("div", (product(factors), self._signed()))], True
            elif self._begins_factor():
                if divided:  # 1/2x: half of x, or one over 2x?
                    raise Refused
                factors.append(self._power())
            else:
                return product(factors)

    def _begins_factor(self) -> bool:
        token = self.ahead
        if token is None or (token.kind == "mark" and token.text not in ("(", "[", "{")):
            return False
        if token.kind == "number":
            raise Refused  # 2 3, or 5 behind a fraction: a product, a list, or a slip
        return token.kind != "end" and not (token.text in _STOPS and token.kind in ("command", "word"))

    def _signed(self) -> Node:
        if self._take("-"):
            return negative(self._signed())
        if self._take("+"):
            return self._signed()
        return self._power()

    def _power(self) -> Node:
        base = self._postfix(self._atom())
        while self._is("^") or (self._is("*") and self._is_power_of_python()):
            self._place += 1 if self._is("^") else 2
            base = self._postfix(self._raised(base))
        return base

    def _is_power_of_python(self) -> bool:
        following = self._tokens[self._place + 1 : self._place + 2]
        return bool(following) and following[0].text == "*" and not following[0].blank

    def _raised(self, base: Node) -> Node:
        if self._take("circ", "degree", kind="command"):
            return Apply("degree", (base,))
        if self._is("prime", kind="command") or self._is("'"):
            raise Refused(self.formula)
        exponent = self._exponent()
        return Apply("degree", (base,)) if exponent == Symbol(r"\circ") else Apply("pow", (base, exponent))

    def _exponent(self) -> Node:
        if self._take("-"):
            return negative(self._exponent())
        if self._take("+"):
            return self._exponent()
        if self._is("("):
            return self._atom()
        return self._argument(digits=False)

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("!"):
                if self._is("!"):
                    raise Refused(self.formula)
                node = Apply("factorial", (node,))
            elif self._take("degree", kind="command"):
                node = Apply("degree", (node,))
            elif self._is("_") and isinstance(node, Number):
                node = self._in_base(node)
            else:
                return node

    def _in_base(self, node: Number) -> Node:
        self._next()
        base = self._argument(digits=False)
        if not isinstance(base, Number) or node.decimals is None:
            raise Refused
        return Apply("base", (node, base))

    def _argument(self, digits: bool = True) -> Node:
        r"""Reads an argument: a group in braces, or one token; of a number one digit, as LaTeX does, or all of it."""
        self._enter()
        token = self._next()
        if token.kind == "mark" and token.text == "{":
            node = Symbol(r"\circ") if self._take("circ", kind="command") else self.ratio()
            self._expect("}")
        else:
            first, rest = token.split() if digits or token.kind == "word" else (token, None)
            single = token.kind == "word" and token.text not in _CONSTANTS and not token.upright
            token, rest = (first, rest) if single or token.kind == "number" else (token, None)
            self._place -= 1
            self._tokens[self._place : self._place + 1] = [token] if rest is None else [token, rest]
            node = self._atom(argument=True)
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Refused

    def _atom(self, argument: bool = False) -> Node:
        token = self._next()
        if token.kind == "number":
            if token.value is None:
                raise Refused
            number = Number(token.value, token.decimals)
            return number if argument else self._mixed(number)
        if token.kind == "word":
            return self._word(token)
        if token.kind == "command":
            return self._command(token)
        if token.kind == "begin":
            return self._matrix(token)
        return self._bracket(token)

    def _mixed(self, whole: Number) -> Node:
        """Reads the fraction of a mixed number where a proper one follows: 1 1/4, or 1\\frac{1}{4}."""
        start, tokens = self._place, self._tokens
        if whole.decimals != 0:
            return whole
        if self._is("frac", kind="command"):
            tokens = list(tokens)
            self._next()
            parts = self._argument(), self._argument()
        elif len(rest := tokens[start : start + 3]) == 3 and rest[0].blank and rest[1].text == "/":
            kinds = rest[0].kind, rest[2].kind
            if kinds != ("number", "number") or rest[0].value is None or rest[2].value is None:
                return whole
            parts = Number(rest[0].value, rest[0].decimals), Number(rest[2].value, rest[2].decimals)
            self._place += 3
        else:
            return whole
        if all(isinstance(part, Number) and part.decimals == 0 for part in parts):
            top, bottom = parts
            assert isinstance(top, Number) and isinstance(bottom, Number)
            if 0 < top.value < bottom.value:
                return Apply("mixed", (whole, top, bottom))
        self._place, self._tokens = start, tokens
        return whole

    def _word(self, token: Token) -> Node:
        name = token.text
        name = _ALIASES.get(name, name)
        if name in FUNCTIONS:
            return self._function(name)
        if name in _CONSTANTS:
            return Symbol(_CONSTANTS[name])
        if len(name) == 1:
            return self._symbol(rf"\mathbf{{{name}}}" if token.bold else name)
        if token.upright or len(name) > 3 or not name.isascii():
            raise Refused
        if name.startswith("pi") or name.endswith("pi"):
            raise Refused
        self._place -= 1
        self._tokens[self._place : self._place + 1] = [
            token.part(i, i + 1) if i == 0 else replace(token.part(i, i + 1), blank=False) for i in range(len(name))
        ]
        return self._atom()

    def _symbol(self, name: str) -> Node:
        """Reads a symbol's subscript and primes, which are part of its name, and its arguments where it is called."""
        if self._take("_"):
            name += f"_{{{latex(self._argument(digits=False))}}}"
        while self._take("'"):
            name += "'"
        ahead = self.ahead
        if name[0] in _CALLED and self._is("(") and ahead is not None and not ahead.blank:
            self._next()
            return Apply("call", (Symbol(name), *self._items(")")))
        return Symbol(name)

    def _items(self, closing: str, kind: Kind = "mark") -> list[Node]:
        self._enter()
        items = [self.ratio()]
        while self._take(",", ";"):
            items.append(self.ratio())
        self._expect(closing, kind)
        self._depth -= 1
        return items

    def _command(self, token: Token) -> Node:
        name = token.text
        reader = _READERS.get(name)
        if reader is not None:
            return reader(self)
        if name in FUNCTIONS:
            return self._function(name)
        if name in _GREEK:
            return self._symbol(rf"\{name}")
        if name in _ACCENTS:
            return self._symbol(rf"\{name}{{{latex(self._argument())}}}")
        if name in _BRACKETS:
            closing, function = _BRACKETS[name]
            inner = self.ratio()
            self._expect(closing, "command")
            return Apply(function, (inner,))
        raise Refused(self.formula)

    def _fraction(self) -> Node:
        return Apply("div", (self._argument(), self._argument()))

    def _binomial(self) -> Node:
        return Apply("binomial", (self._argument(), self._argument()))

    def _root(self) -> Node:
        degree: Node | None = None
        if self._take("["):
            degree = self.ratio()
            self._expect("]")
        inner = self._atom() if self._is("(") else self._argument()
        return Apply("sqrt", (inner,)) if degree in (None, TWO) else Apply("root", (inner, degree or TWO))

    def _root_sign(self) -> Node:
        """Reads the argument of the character for a root: the number, letter or parenthesis that follows it."""
        degree: Node | None = None
        if self._take("["):
            degree = self.ratio()
            self._expect("]")
        inner = self._argument(digits=False)
        return Apply("root", (inner, degree)) if degree else Apply("sqrt", (inner,))

    def _angle_brackets(self) -> Node:
        return Group("(", tuple(self._items("rangle", "command")), ")")

    def _function(self, name: str) -> Node:
        exponent = self._exponent() if self._take("^") else None
        base = self._argument(digits=False) if self._take("_") else None
        if exponent is None and self._take("^"):
            exponent = self._exponent()
        if exponent == MINUS_ONE and name in _INVERSES:
            name, exponent = _INVERSES[name], None
        if (name == "log") < (base is not None):
            raise Refused(self.formula)
        args = self._function_arguments()
        if name in ("sqrt", "cbrt"):
            made = Apply("sqrt", args) if name == "sqrt" else Apply("root", (*args, Number(Fraction(3))))
        elif name in ("log", "lg"):
            made = Apply("log", (*args, base or Number(Fraction(10))))
        else:
            made = Apply(name, args)
        if name in _SINGLE and len(args) != 1:
            raise Refused(self.formula)
        return made if exponent is None else Apply("pow", (made, exponent))

    def _function_arguments(self) -> tuple[Node, ...]:
        if self._take("("):
            return tuple(self._items(")"))
        if self._is("{"):
            return (self._argument(),)
        if self._take("-"):
            return (negative(self._function_arguments()[0]),)
        factors = [self._power()]
        while self._begins_factor() and not self._begins_function():
            factors.append(self._power())
        if self._take("/"):
            raise Refused  # sin x/2
        return (product(factors),)

    def _begins_function(self) -> bool:
        return self.ahead is not None and self.ahead.text in FUNCTIONS

    def _matrix(self, token: Token) -> Node:
        kind = _MATRICES.get(token.text)
        if kind is None:
            raise Refused(self.formula)
        self._enter()
        rows: list[list[Node]] = [[]]
        while not self._take(token.text, kind="end"):
            if self._take("\\", kind="command"):
                rows.append([])
            elif not self._take("&"):
                rows[-1].append(self.ratio())
        self._depth -= 1
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) > 1:
            raise Refused(self.formula)
        return Matrix(kind, tuple(map(tuple, rows)))

    def _bracket(self, token: Token) -> Node:
        opening = token.text
        if opening == "|":
            return Apply("abs", (self._until_bar(),))
        if opening == "{":
            return self._braces()
        if opening not in _ROUND:
            raise Refused(self.formula)
        if opening == r"\{":
            if self._take(r"\}"):
                return Symbol(r"\emptyset")
            return Several(tuple(self._items(r"\}")), braces=True)
        self._enter()
        items = [self.ratio()]
        while self._take(",", ";"):
            items.append(self.ratio())
        self._depth -= 1
        closing = self._next().text
        if closing not in ("(", ")", "[", "]") or (len(items) == 1 and closing != _ROUND[opening]):
            raise Refused(self.formula)
        return items[0] if len(items) == 1 else Group(opening, tuple(items), closing)

    def _until_bar(self) -> Node:
        inner = self.ratio()
        self._expect("|")
        return inner

    def _braces(self) -> Node:
        """Reads a group, or a set in plain text: {1, 2}."""
        self._enter()
        items = [self.ratio()]
        while self._take(",", ";"):
            items.append(self.ratio())
        self._expect("}")
        self._depth -= 1
        return items[0] if len(items) == 1 else Several(tuple(items), braces=True)


def _joined(name: str, *parts: Node) -> Node:
    flat = [p for part in parts for p in (part.args if isinstance(part, Apply) and part.name == name else (part,))]
    return Apply(name, tuple(sorted(flat, key=latex)))


_READERS: dict[str, Callable[[_Parser], Node]] = {
    "frac": _Parser._fraction,
    "binom": _Parser._binomial,
    "sqrt": _Parser._root,
    "surd": _Parser._root_sign,
    "langle": _Parser._angle_brackets,
}
