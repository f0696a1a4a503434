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


Selection = Annotated[str, OneOf(SELECTIONS)]
"""A setting that names a rule."""
