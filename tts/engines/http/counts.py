"""Numbers of tokens that a server reports."""

from __future__ import annotations

_MOST = 2**53
"""No answer has as many tokens; sums of such numbers are still exact as floats."""


def number(value: object) -> int:
    """Returns a number of tokens.

    Raises:
        ValueError: It is none: a text, a fraction, a negative or absurdly large number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"{str(value)[:50]!r} is no number of tokens")
    return value


def number_if_told(value: object) -> int | None:
    """Returns a number of tokens, None if the server does not say.

    Raises:
        ValueError: It says something else than a number.
    """
    return None if value is None else number(value)


def size(value: object) -> int | None:
    """Returns a size that helps if it is known, None if it is not or is no size."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None
