"""Sums and products in the order that all sums and products of the same parts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tts.tasks.answers.nodes import MINUS_ONE, ONE, Apply, Node, Number, latex


def negative(node: Node) -> Node:
    """Returns a tree with its sign changed."""
    if isinstance(node, Number):
        return replace(node, value=-node.value)
    return product((MINUS_ONE, node))


def product(factors: Sequence[Node]) -> Node:
    """Returns a product in the order that all products of these factors share; signs are one factor in front."""
    flat = _flat("mul", factors)
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
    return _ordered("add", _flat("add", terms))


def joined(name: str, *parts: Node) -> Node:
    """Returns a union, or the like, in the order that all unions of these parts share."""
    return _ordered(name, _flat(name, parts))


def _flat(name: str, parts: Sequence[Node]) -> list[Node]:
    return [p for part in parts for p in (part.args if isinstance(part, Apply) and part.name == name else (part,))]


def _ordered(name: str, args: Sequence[Node]) -> Node:
    return args[0] if len(args) == 1 else Apply(name, tuple(sorted(args, key=latex)))
