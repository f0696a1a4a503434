"""Equations and inequalities: what they name, the value they give it, and the set that they describe."""

from __future__ import annotations

from tts.tasks.answers.alternatives import spelled_out
from tts.tasks.answers.building import negative
from tts.tasks.answers.exact import exact
from tts.tasks.answers.nodes import (
    ZERO,
    Apply,
    Choice,
    Group,
    Node,
    Number,
    Opaque,
    Quantity,
    Relation,
    Several,
    Symbol,
    Text,
)
from tts.tasks.answers.sets import REALS, lie_apart

CONSTANTS = frozenset(["e", "i", r"\pi", r"\infty"])
INFINITY = Symbol(r"\infty")
_VALUES = frozenset(["=", r"\approx", r"\equiv", r"\to", r"\implies", r"\cong", r"\sim"])
_LIKENESSES = frozenset([r"\cong", r"\sim"])
_ORDERS = {"<": (True, False), ">": (False, False), r"\le": (True, True), r"\ge": (False, True)}
"""Of each sign whether it goes upwards, and whether both sides may be equal."""


def is_name(node: Node) -> bool:
    """Returns whether one side of an equation only says what the other is: x, f(3), |AB|, words."""
    if isinstance(node, Symbol):
        return node.name not in CONSTANTS
    if isinstance(node, Apply):
        inner = node.args[0] if node.name == "abs" else node
        letters = isinstance(inner, Apply) and inner.name == "mul" and all(_is_capital(arg) for arg in inner.args)
        ratio = node.name == "ratio" and all(map(_is_variable, node.args))
        return node.name == "call" or letters or ratio or (node.name == "abs" and isinstance(inner, Symbol))
    if isinstance(node, Group):
        return all(isinstance(item, Symbol) and is_name(item) for item in node.items)
    return isinstance(node, Text | Opaque)


def named(relation: Relation) -> tuple[Node, Node] | None:
    """Returns the name and the value of an equation that only names its value, None where it does not."""
    if not _VALUES.issuperset(relation.signs):
        return None
    first, last = relation.sides[0], relation.sides[-1]
    if any(map(is_name, relation.sides[1:-1])):  # x = y = 0 says more than the value of x
        return None
    if _compares_figures(relation):
        return None
    if is_name(first):
        return first, last
    if is_name(last) and not isinstance(last, Text | Opaque):
        return last, relation.sides[-2]
    return None


def value(relation: Relation, any_name: bool) -> Node | None:
    """Returns what a relation says a name's value is; with `any_name` also what its left side comes to (`x + y = 12`)."""
    found = named(relation)
    if found is not None:
        return found[1]
    if relation.signs == (r"\in",):
        return relation.sides[1]
    last = relation.sides[-1]
    whole = _VALUES.issuperset(relation.signs) and last != ZERO and not _compares_figures(relation)
    if is_closed(relation.sides[0]):  # 3 + 4 = 7, but not 3 + 4 = 8
        if relation.signs[-1] == r"\approx":
            return last
        first = exact(relation.sides[0])
        return last if whole and first is not None and first == exact(last) else None
    return last if whole and any_name else None


def _compares_figures(relation: Relation) -> bool:
    return not _LIKENESSES.isdisjoint(relation.signs) and not is_closed(relation.sides[-1])


def interval(node: Node) -> Node:
    """Returns the interval that an inequality of one variable describes, and other answers as they are."""
    if isinstance(node, Several) and len(names := {variable(item) for item in node.items}) == 1 and None not in names:
        parts = [part for part in map(interval, node.items) if isinstance(part, Group)]
        return Apply("union", tuple(parts)) if len(parts) == len(node.items) and lie_apart(parts) else node
    if not isinstance(node, Relation):
        return node
    if node.signs == (r"\in",):
        return node.sides[1]
    if node.signs == (r"\ne",) and _is_variable(node.sides[0]):
        points = spelled_out(node.sides[1])
        excluded = points.items if isinstance(points, Several) else (points,)
        return Apply("without", (REALS, Several(excluded, braces=True))) if all(map(is_closed, excluded)) else node
    if not all(sign in _ORDERS for sign in node.signs) or len({_ORDERS[sign][0] for sign in node.signs}) > 1:
        return node
    upwards = _ORDERS[node.signs[0]][0]
    sides = list(node.sides) if upwards else list(reversed(node.sides))
    closed = [_ORDERS[sign][1] for sign in (node.signs if upwards else reversed(node.signs))]
    if len(sides) == 2:
        if _is_variable(sides[0]) and is_closed(sides[1]):
            sides, closed = [negative(INFINITY), *sides], [False, *closed]
        elif _is_variable(sides[1]) and is_closed(sides[0]):
            sides, closed = [*sides, INFINITY], [*closed, False]
    if len(sides) != 3 or not _is_variable(sides[1]) or not is_closed(sides[0]) or not is_closed(sides[2]):
        return node
    return Group("[" if closed[0] else "(", (sides[0], sides[2]), "]" if closed[1] else ")")


def variable(node: Node) -> Node | None:
    """Returns the one variable that a relation is about; None where it is none, or about several."""
    names = list(filter(_is_variable, node.sides)) if isinstance(node, Relation) else []
    return names[0] if len(names) == 1 else None


def between(first: Node, second: Node) -> Node | None:
    """Returns both inequalities of a variable as one (x > 2 and x < 3), None where they are not two ends of a range."""
    ends: dict[bool, tuple[Node, str]] = {}
    for node in (first, second):
        if not isinstance(node, Relation) or len(node.sides) != 2 or node.signs[0] not in _ORDERS:
            return None
        upwards, closed = _ORDERS[node.signs[0]]
        below = _is_variable(node.sides[0]) == upwards  # the variable is below the other side
        ends[below] = (node.sides[1] if _is_variable(node.sides[0]) else node.sides[0], r"\le" if closed else "<")
    name = variable(first)
    if len(ends) < 2 or name is None or name != variable(second):
        return None
    (low, first_sign), (high, second_sign) = ends[False], ends[True]
    return Relation((first_sign, second_sign), (low, name, high))


def larger_and_smaller(relation: Relation) -> tuple[Node, Node, bool | None] | None:
    """Returns the larger and the smaller side of an inequality and whether they may be equal, None for another relation.

    Of an equation the sides as they stand, and None for whether they may be equal.
    """
    if len(relation.sides) != 2 or any(isinstance(side, _NO_FORMULAS) for side in relation.sides):
        return None
    first, second = relation.sides
    if relation.signs == ("=",):
        return first, second, None
    if relation.signs[0] not in _ORDERS:
        return None
    upwards, closed = _ORDERS[relation.signs[0]]
    return (second, first, closed) if upwards else (first, second, closed)


_NO_FORMULAS = (Opaque, Choice, Text, Group, Several, Quantity)


def _is_variable(node: Node) -> bool:
    return isinstance(node, Symbol) and is_name(node)


def _is_capital(node: Node) -> bool:
    return isinstance(node, Symbol) and node.name[0].isupper()


def is_closed(node: Node) -> bool:
    """Returns whether there are no variables in a formula."""
    if isinstance(node, Symbol):
        return node.name in CONSTANTS
    if isinstance(node, Apply):
        return all(map(is_closed, node.args))
    return isinstance(node, Number | Quantity) and (isinstance(node, Number) or is_closed(node.value))
