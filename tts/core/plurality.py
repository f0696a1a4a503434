"""Votes over groups of equivalent answers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence


def plurality(groups: Sequence[int | None], weights: Sequence[float] | None = None) -> int | None:
    """Returns the group with the largest total weight.

    Args:
        groups: Each candidate's group, None if it has no answer and so no vote. Groups are numbered by first
            appearance.
        weights: Each candidate's weight; 1 by default.

    Returns:
        The group, None if there are no votes. Of groups with equal weight the one whose first member comes first in the
        list wins, so ties are broken by sample index, never by order of arrival.
    """
    members: dict[int, list[float]] = defaultdict(list)
    for group, weight in zip(groups, weights or [1.0] * len(groups), strict=True):
        if group is not None:
            members[group].append(weight)
    if not members:
        return None
    # fsum is exact, so the order of the members does not matter either.
    return min(members, key=lambda group: (-math.fsum(members[group]), group))
