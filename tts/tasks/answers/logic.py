"""Verdicts with three values: the same, different, and None where that cannot be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Verdict = bool | None
T = TypeVar("T", bound=Hashable)
_MOST = 64


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
    """Returns whether two collections have the same elements, each as often: pairs them off in any order.

    What is equal as it stands is paired at once; of more than `_MOST` others it is not said.
    """
    if len(ones) != len(others):
        return False
    alike = Counter(ones) & Counter(others)
    left, unsure = list((Counter(others) - alike).elements()), False
    if len(left) > _MOST:
        return None
    for one in (Counter(ones) - alike).elements():
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
