"""A file of records, one a line: appended in any order, sorted at the end, gone on with after an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tts.core.errors import UserError

Take = Callable[[str, Any], int | None]
"""From a record that is there already, and its place, to its number; None where it is to be left out."""


class JsonlLog:
    """A file of lines, appended in any order and sorted in place at the end, without ever being held in memory.

    Args:
        path: The file.
        take: Where the file is to be gone on with: says of each of its records which number it has. A last line that was
            torn when its writer was killed is dropped. Without it the file is written anew.
    """

    def __init__(self, path: Path, take: Take | None = None) -> None:
        self._path = path
        self._take = take
        self._places: dict[int, tuple[int, int]] = {}  # offset and bytes by number

    def __enter__(self) -> JsonlLog:
        """Opens the file.

        Raises:
            UserError: A whole line of it is no record; nothing was changed.
        """
        self._file: IO[bytes]
        if self._take is not None and self._path.exists():
            self._go_on(self._take)
        else:
            self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def numbers(self) -> set[int]:
        """The numbers of the lines that are there."""
        return set(self._places)

    def append(self, number: int, line: str) -> None:
        """Writes a line.

        Args:
            number: Its place in the sorted file; a line that has this number already is replaced.
            line: Its text, without a line break.
        """
        data = line.encode() + b"\n"
        self._places[number] = self._file.tell(), len(data)
        self._file.write(data)
        self._file.flush()

    def sort(self, edit: Callable[[int, bytes], bytes] = lambda _, line: line) -> None:
        """Puts the lines into the order of their numbers.

        Args:
            edit: From a line's number and text to what is to stand there instead.
        """
        whole = self._path.with_suffix(".tmp")
        with self._path.open("rb") as old, whole.open("wb") as new:
            for number, (offset, size) in sorted(self._places.items()):
                old.seek(offset)
                new.write(edit(number, old.read(size)))
        whole.replace(self._path)

    def _go_on(self, take: Take) -> None:
        end = 0
        with self._path.open("rb") as file:
            for count, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                place = f"{self._path}:{count}"
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise UserError(
                        f"{place}: not a record ({error}); remove the line, or use another folder"
                    ) from None
                number = take(place, record)
                if number is not None:
                    self._places[number] = end, len(line)
                end += len(line)
        self._file = self._path.open("r+b")
        self._file.truncate(end)
        self._file.seek(end)
