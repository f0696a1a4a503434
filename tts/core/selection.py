"""Named rules that choose a candidate using only scores and groups of equivalent answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated

from tts.core.constraints import OneOf
from tts.core.plurality import plurality

Scores = Sequence[float | None]
"""One per candidate, None without a usable verdict."""

Groups = Sequence[int | None]
"""Each candidate's group of equivalent answers, numbered by first appearance; None without an answer."""


def _strength(score: float | None) -> float:
    """Returns the value that candidates are ranked by; one without a usable verdict ranks below all others."""
    return -math.inf if score is None else score


def argmax(scores: Scores, groups: Groups) -> int | None:
    """Returns the candidate with the highest score; ties go to the more frequent answer, then to the first.

    Candidates without an answer rank below all that have one.
    """

    def rank(i: int) -> tuple[bool, float, int, int]:
        return groups[i] is None, -_strength(scores[i]), -groups.count(groups[i]), i

    return min(range(len(scores)), key=rank, default=None)


def weighted_vote(scores: Scores, groups: Groups) -> int | None:
    """Returns the best candidate of the answer with the largest sum of scores; missing scores add nothing."""
    winner = plurality(groups, [0.0 if score is None else score for score in scores])
    members = [i for i, group in enumerate(groups) if group == winner]
    return min(members, key=lambda i: (-_strength(scores[i]), i), default=None)


def majority(scores: Scores, groups: Groups) -> int | None:
    """Returns the first candidate of the most frequent answer, None if there is no answer; ignores scores."""
    winner = plurality(groups)
    return None if winner is None else groups.index(winner)


SELECTIONS: dict[str, Callable[[Scores, Groups], int | None]] = {
    "argmax": argmax,
    "weighted_vote": weighted_vote,
    "majority": majority,
}


VOTES = ("weighted_vote", "majority")
"""Rules that choose an answer; the chosen candidate only represents it."""


def right_choice(rule: str, chosen: int | None, groups: Groups, right: Sequence[bool]) -> bool:
    """Returns whether the choice of a rule is right.

    Args:
        rule: A key of `SELECTIONS`.
        chosen: The candidate it chose, None if none.
        groups: As for the rules.
        right: Whether each candidate is right.
    """
    if chosen is None:
        return False
    group = groups[chosen]
    return right_answer(group, groups, right) if rule in VOTES and group is not None else right[chosen]


def right_answer(group: int | None, groups: Groups, right: Sequence[bool]) -> bool:
    """Returns whether an answer is right: whether more than half of its candidates are labelled right."""
    members = [is_right for is_right, other in zip(right, groups, strict=True) if other == group]
    return group is not None and 2 * sum(members) > len(members)


Selection = Annotated[str, OneOf(SELECTIONS)]
"""A setting that names a rule."""
