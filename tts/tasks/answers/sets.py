"""Sets in answers: their elements, and those that are written without their braces."""

from __future__ import annotations

from tts.tasks.answers.nodes import Apply, Node, Several, Symbol

_SETS = frozenset(["union", "intersection", "without"])
_EMPTY = Symbol(r"\emptyset")


def is_set(node: Node) -> bool:
    """Returns whether a node is sets that are joined."""
    return isinstance(node, Apply) and node.name in _SETS


def members(several: Several) -> tuple[Node, ...]:
    """Returns the elements, of a set each once."""
    return tuple(dict.fromkeys(several.items)) if several.braces else several.items


def only(node: Node) -> Node:
    """Returns the element of a set of one, which may be given without its braces; but a set of sets is no set of them."""
    alone = isinstance(node, Several) and node.braces and len(node.items) == 1
    inner = node.items[0] if isinstance(node, Several) and alone else node
    return node if isinstance(inner, Several) or inner == _EMPTY else inner
