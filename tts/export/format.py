"""The interface of formats: how another program reads training data."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tts.core.errors import UserError
from tts.core.json import JsonObject
from tts.export.data import IN_WORDS, Data, Kind
from tts.files.writing import write_lines


class Format(ABC):
    """A program's format.

    Attributes:
        reads: How the program is told to read each kind of data that it can read; `{}` is the path.
        name: The name of the file, or of the folder, that is written.
    """

    reads: ClassVar[Mapping[Kind, str]]
    name: str = "data.jsonl"

    def check(self, data: Data) -> None:
        """Raises UserError if the program does not read this kind of data."""
        if data.kind not in self.reads:
            kinds = " and ".join(IN_WORDS[kind] for kind in self.reads)
            raise UserError(
                f"format ({type(self).__name__}): it reads {kinds}, and {data.path} has {IN_WORDS[data.kind]}"
            )

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns a row as the program reads it; by default the conversations as they are."""
        fields = ("messages",) if kind == "conversations" else ("prompt", "chosen", "rejected")
        return {name: row[name] for name in fields}

    def write(self, data: Data, folder: Path) -> int:
        """Writes the data, and what the program needs beside it; returns the number of rows.

        Raises:
            UserError: A row is wrong, or a package is missing.
            OSError: It cannot be written.
        """
        return write_lines(folder / self.name, (self.row(row, data.kind) for row in data.rows()))

    def hint(self, kind: Kind, folder: Path) -> str:
        """Returns how the program is told to read what was written."""
        return self.reads[kind].replace("{}", str(folder / self.name))
