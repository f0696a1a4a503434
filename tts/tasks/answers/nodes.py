"""What an answer is once it is read: a small tree, and the LaTeX in which every tree can be written and read again."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import singledispatch


@dataclass(frozen=True)
class Number:
    """A number literal.

    Attributes:
        value: Its exact value.
        decimals: How many digits stand behind the point, 0 for an integer; None where it was not written as a decimal
            (a repeating one), and stands for its value exactly.
    """

    value: Fraction
    decimals: int | None = 0


@dataclass(frozen=True)
class Symbol:
    """A variable or a constant, by its name in LaTeX; accents, boldness and subscripts are part of the name."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operation or a function and its arguments; the names are those of `TEMPLATES` or of a function."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Group:
    """A point, a vector or an interval: the notation does not tell them apart, its brackets are kept."""

    opening: str
    items: tuple[Node, ...]
    closing: str


@dataclass(frozen=True)
class Several:
    """A list without brackets, or a set: order says nothing, unless the elements have labels.

    Attributes:
        braces: Whether it is a set.
        labelled: Whether its elements are labelled (a), (b) and so on.
    """

    items: tuple[Node, ...]
    braces: bool = False
    labelled: bool = False


@dataclass(frozen=True)
class Choice:
    """One of the choices that a question gives, by its letter and by what it says."""

    letter: str
    value: Node


@dataclass(frozen=True)
class Matrix:
    """A matrix by rows; `kind` is `matrix`, or `vmatrix` for its determinant."""

    kind: str
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Relation:
    """A chain of relations: one side more than relation signs."""

    signs: tuple[str, ...]
    sides: tuple[Node, ...]


@dataclass(frozen=True)
class Quantity:
    """A value and its unit.

    Attributes:
        unit: The unit's canonical name.
        optional: Whether the value alone is the same answer, as it is for units of measure and for things counted.
    """

    value: Node
    unit: str
    optional: bool = True


@dataclass(frozen=True)
class Family:
    """An answer for all integers.

    Attributes:
        value: One of them, or a list.
        parameter: The letter of the integer.
    """

    value: Node
    parameter: Symbol


@dataclass(frozen=True)
class Cases:
    """A function by cases: each value, and the condition under which it is taken."""

    rows: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class Text:
    """Words, in lower case."""

    words: str


@dataclass(frozen=True)
class Opaque:
    """What could not be read: its tokens, all of them.

    Attributes:
        text: The tokens in LaTeX.
        formula: Whether it is a formula, which math-verify may be able to read, and not words or an ambiguous notation.
    """

    text: str
    formula: bool = field(compare=False)


Node = (
    Number | Symbol | Apply | Group | Several | Choice | Matrix | Relation | Quantity | Family | Cases | Text | Opaque
)

ZERO, ONE, TWO, MINUS_ONE = (Number(Fraction(value)) for value in (0, 1, 2, -1))

TEMPLATES = {
    "div": r"\frac{{{0}}}{{{1}}}",
    "pow": "{{{0}}}^{{{1}}}",
    "root": r"\sqrt[{1}]{{{0}}}",
    "sqrt": r"\sqrt{{{0}}}",
    "mixed": r"{0}\frac{{{1}}}{{{2}}}",
    "abs": r"\lvert {0}\rvert ",
    "floor": r"\lfloor {0}\rfloor ",
    "ceil": r"\lceil {0}\rceil ",
    "factorial": "({0})!",
    "binomial": r"\binom{{{0}}}{{{1}}}",
    "degree": r"({0})^{{\circ}}",
    "pm": r"({0})\pm ({1})",
    "mp": r"({0})\mp ({1})",
    "log": r"\log_{{{1}}}({0})",
    "mod": r"{0}\pmod{{{1}}}",
    "base": "{0}_{{{1}}}",
}
"""How operations with a notation of their own are written."""

JOINED = {
    "add": "+",
    "mul": r"\cdot ",
    "ratio": ":",
    "union": r"\cup ",
    "intersection": r"\cap ",
    "without": r"\setminus ",
}
"""What stands between the arguments of the others, each in parentheses where it is not a plain one."""

SAID = {"or": r"\text{ or }", "measure": r"\text{ and }"}
"""What stands between answers of which one holds, and between the parts of a measure in several units."""

_BRACES = {"{": r"\{", "}": r"\}"}


def plain_decimal(number: Number) -> str:
    """Returns a number in digits where they are few enough, else as a fraction."""
    value, decimals = number.value, number.decimals
    if decimals is None:
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    digits = str(abs(value.numerator * 10**decimals // value.denominator)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return ("-" if value < 0 else "") + (f"{whole}.{fraction}" if fraction else whole)


@singledispatch
def latex(node: Node) -> str:
    """Returns a tree in LaTeX: the same for equal trees, and read as the same tree again."""
    raise TypeError(f"not a node: {node!r}")


@latex.register
def _(node: Number) -> str:
    return plain_decimal(node)


@latex.register
def _(node: Symbol) -> str:
    return f"{node.name} " if node.name.startswith("\\") and node.name[-1].isalpha() else node.name


@latex.register
def _(node: Apply) -> str:
    if node.name in JOINED:
        return JOINED[node.name].join(map(_enclosed, node.args))
    if node.name in SAID:
        return SAID[node.name].join(map(latex, node.args))
    if node.name == "call":
        name, *args = map(latex, node.args)
        return f"{name.rstrip()}({','.join(args)})"  # with a blank it is a factor
    if node.name in TEMPLATES:
        return TEMPLATES[node.name].format(*map(latex, node.args))
    return rf"\{node.name}({','.join(map(latex, node.args))})"


@latex.register
def _(node: Group) -> str:
    return node.opening + ",".join(map(latex, node.items)) + node.closing


@latex.register
def _(node: Several) -> str:
    items = [latex(item) for item in node.items]
    if node.labelled:
        items = [f"({chr(ord('a') + place)}) {item}" for place, item in enumerate(items)]
    return rf"\{{{','.join(items)}\}}" if node.braces else ", ".join(items)


@latex.register
def _(node: Choice) -> str:
    return f"({node.letter}) {latex(node.value)}"


@latex.register
def _(node: Matrix) -> str:
    rows = r"\\".join("&".join(map(latex, row)) for row in node.rows)
    name = "pmatrix" if node.kind == "matrix" else node.kind
    return rf"\begin{{{name}}}{rows}\end{{{name}}}"


@latex.register
def _(node: Relation) -> str:
    first, *others = map(latex, node.sides)
    return first + "".join(f"{sign} {side}" for sign, side in zip(node.signs, others, strict=True))


@latex.register
def _(node: Quantity) -> str:
    return rf"{latex(node.value)}\text{{ {node.unit}}}"


@latex.register
def _(node: Family) -> str:
    return rf"{latex(node.value)}, {latex(node.parameter)}\in \mathbb{{Z}}"


@latex.register
def _(node: Cases) -> str:
    rows = r"\\".join(f"{latex(value)}&{latex(condition)}" for value, condition in node.rows)
    return rf"\begin{{cases}}{rows}\end{{cases}}"


@latex.register
def _(node: Text) -> str:
    return rf"\text{{{node.words}}}"


@latex.register
def _(node: Opaque) -> str:
    return node.text


def _enclosed(node: Node) -> str:
    plain = isinstance(node, Symbol | Group | Several) or (isinstance(node, Number) and node.value >= 0)
    return latex(node) if plain else f"({latex(node)})"
