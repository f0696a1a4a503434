r"""Answers that stand for several: lists, \pm, and relations with a list on one side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from tts.tasks.answers.building import negative, total
from tts.tasks.answers.nodes import ZERO, Apply, Family, Group, Matrix, Node, Quantity, Relation, Several

_COMBINED = 3
"""Signs whose combinations are written down."""


def spelled_out(node: Node) -> Node:
    r"""Returns an answer with \pm and \mp written as a list of the two cases, one in lists and sets."""
    if isinstance(node, Several):
        flat: list[Node] = []
        for item in node.items:
            inner = spelled_out(item)
            if isinstance(item, Relation) and _signs(item.sides[-1]) and len(_names(node.items)) > 1:
                inner = item  # the signs of two values may belong together, or not
            whole = isinstance(item, Several) or _is_point(item)  # a solution for several names
            flat += inner.items if isinstance(inner, Several) and not inner.braces and not whole else (inner,)
        return replace(node, items=tuple(flat))
    if isinstance(node, Quantity):
        return _mapped(spelled_out(node.value), lambda value: replace(node, value=value))
    if isinstance(node, Relation):
        match node:
            case Relation((r"\ne",), _):
                return node
            case Relation(("=",), (Group("(", names, ")"), Group("(", values, ")") as point)) if len(names) == len(
                values
            ) and not _signs(point):
                return Several(tuple(Relation(("=",), sides) for sides in zip(names, values, strict=True)))
        last = spelled_out(node.sides[-1])
        if isinstance(last, Several) and not last.braces:
            return Several(tuple(replace(node, sides=(*node.sides[:-1], item)) for item in last.items))
        return replace(node, sides=(*node.sides[:-1], last))
    if isinstance(node, Apply) and node.name in ("union", "intersection", "without"):
        return replace(node, args=tuple(map(spelled_out, node.args)))
    signs = _signs(node)
    if not signs:
        return node
    if len(signs) > 1 and (isinstance(node, Group | Matrix) or len(signs) > _COMBINED):
        return node  # the signs of two coordinates may belong together, or not
    if "mp" in signs:
        return Several(tuple(_signed(node, [minus] * len(signs)) for minus in (False, True)))
    return Several(tuple(_signed(node, list(choice)) for choice in product((False, True), repeat=len(signs))))


def is_list(node: Node) -> bool:
    """Returns whether an answer has several elements: a list, a set, plus or minus, a point."""
    spelled = spelled_out(node.value if isinstance(node, Family) else node)
    last = spelled.sides[-1] if isinstance(spelled, Relation) else spelled
    return isinstance(last, Several | Group)


def _names(items: Sequence[Node]) -> set[Node]:
    return {item.sides[0] for item in items if isinstance(item, Relation) and item.signs == ("=",)}


def _is_point(node: Node) -> bool:
    match node:
        case Relation(("=",), (Group("(", _, ")"), Group("(", values, ")"))):
            return not any(map(_signs, values))
    return False


def _mapped(node: Node, function: Callable[[Node], Node]) -> Node:
    return Several(tuple(map(function, node.items))) if isinstance(node, Several) else function(node)


def _signs(node: Node) -> list[str]:
    """Returns the signs of both kinds in a formula, in the order in which `_signed` takes them."""
    match node:
        case Apply(name, args):
            inner = [sign for arg in args for sign in _signs(arg)]
            return [name, *inner] if name in ("pm", "mp") else inner
        case Group(_, items, _):
            return [sign for item in items for sign in _signs(item)]
        case Matrix(_, rows):
            return [sign for row in rows for cell in row for sign in _signs(cell)]
    return []


def _signed(node: Node, lower: list[bool]) -> Node:
    """Returns a formula with one sign of each; takes from the list whether it is the lower one."""
    match node:
        case Apply("pm" | "mp" as name, (first, second)):
            minus = lower.pop(0) == (name == "pm")
            first, second = _signed(first, lower), _signed(second, lower)
            return total([part for part in (first, negative(second) if minus else second) if part != ZERO])
        case Apply(_, args):
            return replace(node, args=tuple(_signed(arg, lower) for arg in args))
        case Group(_, items, _):
            return replace(node, items=tuple(_signed(item, lower) for item in items))
        case Matrix(_, rows):
            return replace(node, rows=tuple(tuple(_signed(cell, lower) for cell in row) for row in rows))
    return node
