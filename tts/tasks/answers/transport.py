"""Formulas as JSON, for the grading process."""

from __future__ import annotations

from tts.core.json import Json
from tts.tasks.answers.nodes import Apply, Node, Number, Symbol


def encoded(node: Node) -> Json:
    """Returns a formula as nested lists: the operation and its arguments.

    Numbers are in hexadecimal, which has no limit of length.

    Raises:
        ValueError: There is something in it that is no formula: a set, a point, text.
    """
    if isinstance(node, Number):
        return ["number", f"{node.value.numerator:x}", f"{node.value.denominator:x}"]
    if isinstance(node, Symbol):
        return ["symbol", node.name]
    if isinstance(node, Apply):
        return [node.name, *map(encoded, node.args)]
    raise ValueError
