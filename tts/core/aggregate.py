"""Named ways to make one score of a solution's step scores."""

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
"""The name of one, as a setting."""


def aggregate(scores: Sequence[float | None], name: str) -> float | None:
    """Returns one score for a solution.

    Args:
        scores: One per judged step; None where there is no usable verdict.
        name: A key of `AGGREGATORS`.

    Returns:
        The aggregate of the usable scores; None where there is none, and for `last` where the last step has none.
    """
    usable = [score for score in scores if score is not None]
    if not usable or (name == "last" and scores[-1] is None):
        return None
    return AGGREGATORS[name](usable)
