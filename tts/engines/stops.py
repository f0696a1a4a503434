"""Stop strings: where a completion ends."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_stop(text: str, stops: Sequence[str], include: bool) -> tuple[str, str | None]:
    """Cuts `text` at the first occurrence of any stop string.

    Of two that begin at the same place the longer one wins.

    Args:
        text: The completion.
        stops: The stop strings.
        include: Whether the stop string stays in the text.

    Returns:
        The text and the stop string that was found, or the whole text and None.
    """
    found = [(at, -len(stop), stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, _, stop = min(found)
    return text[: at + len(stop)] if include else text[:at], stop
