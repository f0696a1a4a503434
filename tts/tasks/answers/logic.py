"""Verdicts with three values: the same, different, and None where that cannot be said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Verdict = bool | None
T = TypeVar("T")


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns whether all hold: False as soon as one does not, None where one is unsure."""
    unsure = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unsure = unsure or verdict is None
    return None if unsure else True


def either(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns whether one holds: True as soon as one does, None where one is unsure."""
    unsure = False
    for verdict in verdicts:
        if verdict:
            return True
        unsure = unsure or verdict is None
    return None if unsure else False


def matched(ones: Sequence[T], others: Sequence[T], same: Callable[[T, T], Verdict]) -> Verdict:
    """Returns whether two collections have the same elements, each as often: pairs them off in any order."""
    if len(ones) != len(others):
        return False
    left, unsure = list(others), False
    for one in ones:
        place, doubtful = None, False
        for i, other in enumerate(left):
            verdict = same(one, other)
            if verdict:
                place = i
                break
            doubtful = doubtful or verdict is None
        if place is None and not doubtful:
            return False
        unsure = unsure or place is None
        if place is not None:
            del left[place]
    return None if unsure else True
