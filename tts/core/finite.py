"""Finite numbers."""

from __future__ import annotations

import math


def finite(value: float) -> bool:
    """Whether a number is finite as a float; a whole number of hundreds of digits is not, and has no float at all."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
