"""Reads the labels of a `labels.jsonl`, which `tts label` writes."""

from __future__ import annotations

from pathlib import Path

from tts.core.errors import UserError
from tts.files.rows import read_lines
from tts.tasks.step_labels import READERS, Labels


def read_labels(path: Path) -> dict[str, Labels]:
    """Returns the labels in a `labels.jsonl` by the solution's id.

    Raises:
        UserError: The file is missing, or a line is not one of labels.
    """
    found: dict[str, Labels] = {}
    for place, row in read_lines(path):
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("steps"), list)
            or "labels" not in row
            or "id" not in row
        ):
            raise UserError(f"{place}: not a line of labels.jsonl, which tts label writes")
        try:
            found[str(row["id"])] = READERS["signs"].read(row["labels"], len(row["steps"]))[0]
        except ValueError as error:
            raise UserError(f"{place}: {error}; it expects {READERS['signs'].expects}") from None
    return found
