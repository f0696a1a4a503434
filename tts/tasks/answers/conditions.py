"""Conditions of one variable that hold together: x > 2 and x < 5; x is at least 0, and not 1."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tts.tasks.answers.nodes import Apply, Group, Node, Relation, Several
from tts.tasks.answers.relations import between, interval, variable
from tts.tasks.answers.sets import REALS, simplified
from tts.tasks.answers.size import size

_Bound = float | Fraction


def conjoined(conditions: Sequence[Node], sure: bool) -> Node | None:
    """Returns several conditions of a variable as one; None where they are none, or no number meets them all.

    Args:
        conditions: The elements of a list.
        sure: Whether "and" joins them.
    """
    names = [variable(condition) for condition in conditions]
    if len(conditions) < 2 or names[0] is None or len(set(names)) > 1:
        return None
    ranges: list[Group] = []
    points: list[Node] = []
    for condition in conditions:
        match interval(condition):
            case Group(_, (_, _), _) as found:
                ranges.append(found)
            case Apply("without", (whole, Several(removed))) if whole == REALS:
                points += removed
            case _:
                return None
    met = _intersection(ranges) if len(ranges) > 1 else (ranges or [REALS])[0]
    if met is None:
        return between(*conditions) if sure and len(conditions) == 2 else None
    whole = simplified(Apply("without", (met, Several(tuple(points), braces=True)))) if points else met
    return Relation((r"\in",), (names[0], whole))


def _intersection(ranges: Sequence[Group]) -> Group | None:
    lows: list[tuple[_Bound, bool, Node]] = []
    highs: list[tuple[_Bound, bool, Node]] = []
    for one in ranges:
        low, high = map(size, one.items)
        if low is None or high is None:
            return None
        lows.append((low, one.opening == "(", one.items[0]))
        highs.append((high, one.closing == "]", one.items[1]))
    low, opens, first = max(lows, key=lambda end: end[:2])
    high, closes, last = min(highs, key=lambda end: end[:2])
    if low > high or (low == high and (opens or not closes)):
        return None
    return Group("(" if opens else "[", (first, last), "]" if closes else ")")
