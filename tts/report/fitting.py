"""Tables that fit a terminal: names stay, and what matters least goes where there is no room for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Characters between columns, and at both edges together."""
_NAME = 24
"""Characters that a column of names has at least, if its names are as long; longer ones are continued below."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        cells: Its cells.
        names: Whether it holds names: aligned to the left, and continued below where there is no room.
        goes: Columns go in the order of these numbers, the highest first; those with 0 never go.
    """

    name: str
    cells: Sequence[str | Text]
    names: bool = False
    goes: int = 0

    @property
    def width(self) -> int:
        """Characters that it needs."""
        texts = [Text(self.name), *(Text(cell) if isinstance(cell, str) else cell for cell in self.cells)]
        widest = max(text.cell_len for text in texts)
        return min(widest, _NAME) if self.names else widest


def fitted(console: Console, title: str, columns: Sequence[Column], caption: str = "") -> Table:
    """Returns a table with as many of the columns as the console has room for; the caption names the others."""
    shown = [column for column in columns if any(map(str, column.cells)) or not column.goes]
    gone: list[Column] = []
    while sum(column.width + _GAP for column in shown) > console.width:
        going = max(shown, key=lambda column: column.goes)
        if not going.goes:
            break
        shown.remove(going)
        gone.append(going)
    widths = [column.width for column in shown]
    names = [number for number, column in enumerate(shown) if column.names]
    while names and sum(widths) + _GAP * len(widths) > console.width and max(widths[i] for i in names) > 1:
        widths[max(names, key=widths.__getitem__)] -= 1  # what is left has to stay: names are continued below earlier
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column, width in zip(shown, widths, strict=True):
        table.add_column(
            Text(column.name),
            justify="left" if column.names else "right",
            overflow="fold",
            no_wrap=not column.names,
            min_width=width,
            width=width if width < column.width else None,
        )
    for cells in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    left_out = (
        f"no room for: {', '.join(column.name for column in reversed(gone))} (report.csv has all)" if gone else ""
    )
    below = "\n".join(filter(None, (caption, left_out)))
    if below:
        table.caption, table.caption_justify = Text(below), "left"
    return table
