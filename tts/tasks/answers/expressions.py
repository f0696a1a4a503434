"""Formulas: tokens to trees, by precedence. What is no formula is refused, never read in part."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.atoms import read_atom
from tts.tasks.answers.building import joined, negative, product, total
from tts.tasks.answers.cursor import Cursor, RefusedError
from tts.tasks.answers.names import CONSTANTS
from tts.tasks.answers.nodes import ZERO, Apply, Group, Node, Number, Several, Symbol
from tts.tasks.answers.sets import REALS
from tts.tasks.answers.tokens import Kind, Token
from tts.tasks.answers.vocabulary import words

_STOPS = words("union pm mp cup cap setminus rangle rfloor rceil rvert times cdot div choose over to circ degree \\")
"""What ends a product."""
_DEGREE = Symbol(r"\circ")
_JOINING = {"cup": "union", "cap": "intersection", "setminus": "without", "U": "union", "union": "union"}


def parse(tokens: Sequence[Token]) -> Node:
    """Returns the tree of a formula: a number, an expression, a set, a union of intervals, a matrix.

    Raises:
        RefusedError: It is none.
    """
    parser = Expressions(tokens)
    node = parser.formula_ahead()
    if parser.ahead is not None:
        raise parser.refused()
    return node


class Expressions(Cursor):
    """Reads formulas; each method reads one from the place on, and raises RefusedError where none is."""

    def formula_ahead(self) -> Node:
        """Reads a whole formula, up to a comma or a bracket that closes."""
        with self.deeper():
            parts = [self._sets()]
            while self.take(":") or self.take("to", kind="word"):
                parts.append(self._sets())
            node = parts[0] if len(parts) == 1 else Apply("ratio", tuple(parts))
            for command, name in (("choose", "binomial"), ("over", "div")):
                if self.take(command, kind="command"):
                    node = Apply(name, (node, self._sets()))
        return node

    def items(self, closing: str, kind: Kind = "mark") -> list[Node]:
        """Reads formulas with commas between them, and the bracket that closes."""
        items = self.listed()
        self.expect(closing, kind)
        return items

    def listed(self) -> list[Node]:
        """Reads formulas with commas between them."""
        items = [self.formula_ahead()]
        while self.take(",", ";"):
            items.append(self.formula_ahead())
        return items

    def _sets(self) -> Node:
        node = self._sum()
        while self.sees("cup", "cap", "setminus", kind="command") or (
            isinstance(node, Group) and self.sees("U", "union", kind="word")
        ):
            name = _JOINING[self.next().text]
            other = self._sum()
            node = Apply(name, (node, other)) if name == "without" else joined(name, node, other)
        return node

    def _sum(self) -> Node:
        terms: list[Node] = []
        while not terms or self.sees("+", "-") or self.sees("pm", "mp", kind="command"):
            if self.sees("pm", "mp", kind="command"):
                name = self.next().text
                terms = [Apply(name, (total(terms) if terms else ZERO, self._term()))]
            else:
                sign = self.next().text if self.sees("+", "-") else "+"
                term = self._term()
                if sign == "-" and terms == [REALS] and isinstance(term, Several):  # the other real numbers
                    terms = [Apply("without", (REALS, term))]
                    continue
                terms.append(negative(term) if sign == "-" else term)
        return total(terms)

    def _term(self) -> Node:
        factors, divided = [self._signed()], False
        while self.ahead is not None:
            vectors = _is_vector(factors[-1]) or (self.behind and self.behind.bold)
            if self.sees("times", kind="command") and (vectors or isinstance(factors[-1], Several | Group)):
                raise RefusedError  # no product of numbers
            if self._takes_product_sign():
                factors.append(self._signed())
                divided = False
            elif self.take("/") or self.take("div", kind="command"):
                factors, divided = [Apply("div", (product(factors), self._signed()))], True
            elif self.begins_factor():
                if divided:  # 1/2x: half of x, or one over 2x?
                    raise RefusedError
                factors.append(self.power())
            else:
                break
        return product(factors)

    def _takes_product_sign(self) -> bool:
        return self.take("*") or self.take("times", kind="command")

    def begins_factor(self) -> bool:
        """Returns whether a factor without a sign before it follows."""
        token = self.ahead
        if token is None or token.kind == "end" or (token.kind == "mark" and token.text not in ("(", "[", "{")):
            return False
        if token.kind == "number":
            if self.behind is None or self.behind.text != "!":
                raise RefusedError  # 2 3, or 5 behind a fraction: a product, a list, or a slip
            return True
        if token.text == "[" and [t.text for t in self.peek(2)][1:] in ([], ["cup"], ["cap"]):
            return False  # 0, 1[
        if token.text == "U" and token.blank and [t.text for t in self.peek(2)][1:] in (["("], ["["], [r"\{"]):
            return False
        return not (token.text in _STOPS and token.kind in ("command", "word"))

    def _signed(self) -> Node:
        if self.take("-"):
            return negative(self._signed())
        if self.take("+"):
            return self._signed()
        return self.power()

    def power(self) -> Node:
        """Reads an atom with what stands behind and above it."""
        base = self._postfix(read_atom(self))
        raised = False
        while self._takes_power_sign():
            if raised:  # 2^3^2: from the left, or from the right?
                raise RefusedError
            base = self._postfix(self._raised(base))
            raised = isinstance(base, Apply) and base.name == "pow"
        return base

    def _takes_power_sign(self) -> bool:
        if self.take("^"):
            return True
        stars = [token.text for token in self.peek(2)] == ["*", "*"] and not self.peek(2)[1].blank
        return stars and self.take("*") and self.take("*")

    def _raised(self, base: Node) -> Node:
        if self.take("circ", "degree", kind="command"):
            return Apply("degree", (base,))
        exponent = self.exponent()
        return Apply("degree", (base,)) if exponent == _DEGREE else Apply("pow", (base, exponent))

    def exponent(self) -> Node:
        """Reads what stands behind a power sign."""
        if self.take("-"):
            return negative(self.exponent())
        if self.take("+"):
            return self.exponent()
        return read_atom(self) if self.sees("(") else self.argument(digits=False)

    def _postfix(self, node: Node) -> Node:
        while True:
            if self.take("!"):
                if self.sees("!"):  # a double factorial, which math-verify reads as two
                    raise RefusedError
                node = Apply("factorial", (node,))
            elif self.take("degree", kind="command"):
                node = Apply("degree", (node,))
            elif isinstance(node, Number) and self.take("_"):
                base = self.argument(digits=False)
                if not isinstance(base, Number) or node.decimals is None:
                    raise RefusedError
                node = Apply("base", (node, base))
            else:
                return node

    def argument(self, digits: bool = True) -> Node:
        r"""Reads an argument: a group in braces, or one token.

        Args:
            digits: Whether it is one digit of a number, as for LaTeX (`\frac12`), or all of it.
        """
        with self.deeper():
            token = self.next()
            if token.kind == "mark" and token.text == "{":
                node = _DEGREE if self.take("circ", kind="command") else self.formula_ahead()
                self.expect("}")
                return node
            whole = token.upright or token.text in CONSTANTS if token.kind == "word" else not digits
            first, rest = (token, None) if whole else token.split()
            self.back(first, *(() if rest is None else (rest,)))
            return read_atom(self, alone=True)


def _is_vector(node: Node) -> bool:
    return isinstance(node, Symbol) and node.name.startswith((r"\mathbf", r"\vec"))
