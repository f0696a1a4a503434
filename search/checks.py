"""Checks of the settings that several searches over steps have."""

from __future__ import annotations

from tts.core.aggregate import check_aggregator
from tts.core.errors import UserError
from tts.core.selection import check_selection


def check_step_search(depth: int, aggregator: str | None, selection: str) -> None:
    """Raises UserError where a setting that all searches over steps have cannot be."""
    if depth < 1:
        raise UserError(f"search.depth={depth}: at least one step is needed")
    if aggregator is not None:
        check_aggregator(aggregator, "search.aggregator")
    check_selection(selection, "search.selection")


def check_width(n: int, width: int) -> None:
    """Raises UserError where n is no multiple of the width."""
    for key, number in (("n", n), ("width", width)):
        if number < 1:
            raise UserError(f"search.{key}={number}: it must be 1 or more")
    if n % width:
        near = sorted({max(1, n // width) * width, (n // width + 1) * width})
        raise UserError(
            f"search.n={n}, search.width={width}: n must be a multiple of the width, such as {' or '.join(map(str, near))}"
        )
