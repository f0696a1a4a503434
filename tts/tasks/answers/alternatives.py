r"""Answers that stand for several: lists, \pm, and relations with a list on one side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tts.tasks.answers.building import negative, total
from tts.tasks.answers.nodes import ZERO, Apply, Family, Group, Matrix, Node, Quantity, Relation, Several

_MOST = 64


def spelled_out(node: Node) -> Node:
    r"""Returns an answer with \pm and \mp written as a list of the two cases, one in lists and sets."""
    if isinstance(node, Several):
        flat: list[Node] = []
        for item in node.items:
            inner = spelled_out(item)
            flat += inner.items if isinstance(inner, Several) and not inner.braces else (inner,)
        return replace(node, items=tuple(flat[:_MOST]))
    if isinstance(node, Quantity):
        return _mapped(spelled_out(node.value), lambda value: replace(node, value=value))
    if isinstance(node, Relation):
        match node:
            case Relation(("=",), (Group("(", names, ")"), Group("(", values, ")"))) if len(names) == len(values):
                return Several(tuple(Relation(("=",), sides) for sides in zip(names, values, strict=True)))
        last = spelled_out(node.sides[-1])
        if isinstance(last, Several) and not last.braces:
            return Several(tuple(replace(node, sides=(*node.sides[:-1], item)) for item in last.items))
        return replace(node, sides=(*node.sides[:-1], last))
    if isinstance(node, Group) and sum(map(_signs, node.items)) > 1:
        return node  # the signs of two coordinates may belong together, or not
    upper, lower = _signed(node, False), _signed(node, True)
    return node if upper == node else Several((upper, lower))


def is_list(node: Node) -> bool:
    """Returns whether an answer has several elements: a list, a set, plus or minus, a point."""
    spelled = spelled_out(node.value if isinstance(node, Family) else node)
    last = spelled.sides[-1] if isinstance(spelled, Relation) else spelled
    return isinstance(last, Several | Group)


def _mapped(node: Node, function: Callable[[Node], Node]) -> Node:
    return Several(tuple(map(function, node.items))) if isinstance(node, Several) else function(node)


def _signs(node: Node) -> int:
    """Returns how often there is plus or minus in a formula."""
    return (node.name in ("pm", "mp")) + sum(map(_signs, node.args)) if isinstance(node, Apply) else 0


def _signed(node: Node, lower: bool) -> Node:
    if isinstance(node, Apply):
        args = tuple(_signed(arg, lower) for arg in node.args)
        if node.name in ("pm", "mp"):
            first, second = args
            minus = lower == (node.name == "pm")
            return total([part for part in (first, negative(second) if minus else second) if part != ZERO])
        return replace(node, args=args)
    if isinstance(node, Group):
        return replace(node, items=tuple(_signed(item, lower) for item in node.items))
    if isinstance(node, Matrix):
        return replace(node, rows=tuple(tuple(_signed(item, lower) for item in row) for row in node.rows))
    return node
