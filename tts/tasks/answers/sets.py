"""Sets in answers: their elements, those that are written without their braces, and the same ones written otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tts.tasks.answers.building import joined, negative
from tts.tasks.answers.nodes import Apply, Group, Node, Several, Symbol
from tts.tasks.answers.size import size

_SETS = frozenset(["union", "intersection", "without"])
_EMPTY = Symbol(r"\emptyset")
_INFINITY = Symbol(r"\infty")
REALS = Group("(", (negative(_INFINITY), _INFINITY), ")")


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


def simplified(node: Node) -> Node:
    """Returns a union of sets of elements as one, and a range without parts of it as those that are left."""
    match node:
        case Apply("union", parts) if all(isinstance(part, Several) and part.braces for part in parts):
            return Several(
                tuple(item for part in parts if isinstance(part, Several) for item in part.items), braces=True
            )
        case Apply("without", (whole, removed)):
            return _left(_ranges(whole), _ranges(removed)) or node
    return node


def lie_apart(ranges: Sequence[Group]) -> bool:
    """Returns whether no number is in two ranges; not where an end is unknown."""
    ends = [[size(item) for item in one.items] for one in ranges]
    known = sorted((low, high) for low, high in ends if low is not None and high is not None)
    return len(known) == len(ends) and all(first[1] <= second[0] for first, second in pairwise(known))


@dataclass(frozen=True)
class _Range:
    """A range of numbers; `closed` of its ends."""

    low: Node
    high: Node
    closed: tuple[bool, bool] = (True, True)

    @property
    def values(self) -> tuple[float | Fraction | None, ...]:
        """Its ends; None where one is unknown."""
        return tuple(map(size, (self.low, self.high)))


def _ranges(node: Node) -> list[_Range]:
    """Returns a set of points and ranges in their order; nothing where that is unknown."""
    match node:
        case Several(items, True):
            found = [_Range(item, item) for item in items]
        case Group(opening, (low, high), closing):
            found = [_Range(low, high, (opening == "[", closing == "]"))]
        case Apply("union", parts):
            found = [one for part in parts for one in _ranges(part)]
            found = found if all(_ranges(part) for part in parts) else []
        case _:
            return []
    keys = [one.values[0] for one in found]
    if len(found) > 1:
        if any(key is None for key in keys):
            return []
        found.sort(key=lambda one: one.values[0] or 0)
    return found


def _left(whole: Sequence[_Range], removed: Sequence[_Range]) -> Node | None:
    """Returns what is left of one range without others inside it; None where they do not lie apart in it."""
    if len(whole) != 1 or not removed:
        return None
    bounds = [end for one in (whole[0], *removed) for end in one.values]
    inside = [whole[0].values[0], *bounds[2:], whole[0].values[1]]
    if None in inside:
        apart = (whole[0].low, whole[0].high) == REALS.items and len(removed) == 1
    else:
        apart = all(a <= b for a, b in pairwise(inside))  # type: ignore[operator]  # none is None
    if not apart:
        return None
    parts: list[Node] = []
    low, closed = whole[0].low, whole[0].closed[0]
    for one in removed:
        parts += _part(low, one.low, closed, not one.closed[0])
        low, closed = one.high, not one.closed[1]
    parts += _part(low, whole[0].high, closed, whole[0].closed[1])
    return joined("union", *parts) if parts else _EMPTY


def _part(low: Node, high: Node, opens: bool, closes: bool) -> list[Node]:
    """Returns a range; nothing where it is empty, and its point where it is one."""
    if low == high:
        return [Several((low,), braces=True)] if opens and closes else []
    return [Group("[" if opens else "(", (low, high), "]" if closes else ")")]
