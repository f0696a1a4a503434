"""Named aggregators: from a solution's step scores to one score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated

from tts.core.constraints import OneOf

AGGREGATORS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "max": max,
    "mean": lambda scores: math.fsum(scores) / len(scores),
    "prod": math.prod,
    "sum": math.fsum,
}


Aggregator = Annotated[str, OneOf(AGGREGATORS)]
"""A setting that names an aggregator."""


def aggregate(scores: Sequence[float | None], name: str) -> float | None:
    """Returns one score for a solution.

    Args:
        scores: One per judged step; None without a usable verdict.
        name: A key of `AGGREGATORS`.

    Returns:
        The aggregate of the usable scores; None if there is none, or if the last step has none for `last`.
    """
    usable = [score for score in scores if score is not None]
    if not usable or (name == "last" and scores[-1] is None):
        return None
    return AGGREGATORS[name](usable)
