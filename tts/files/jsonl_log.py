"""A file of records, one per line: appended in any order, sorted at the end, resumed after an interruption."""

from __future__ import annotations

import json
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Generic, Literal, TypeVar

from tts.core.errors import RunError
from tts.core.secrets import Secrets
from tts.core.well_formed import well_formed
from tts.files.writing import replaced, writing

_log = logging.getLogger(__name__)

Record = TypeVar("Record")
RecordKey = Callable[[str, Record], Hashable | None]
"""From an existing record's place and the record to its key; None if the record must be recreated.

It raises ValueError for a value that is not such a record, which is then put aside.
"""


class JsonlLog(Generic[Record]):
    """A file of records, appended in any order and sorted in place at the end, never held in memory as a whole.

    Args:
        path: The file.
        key: To resume the file: returns the key of each record in it. An incomplete last line of a killed writer is
            dropped. Without `key` the file is overwritten.
    """

    def __init__(self, path: Path, key: RecordKey[Record] | None = None) -> None:
        self._path = path
        self._key = key
        self._places: dict[int, tuple[int, int]] = {}  # offset and size in bytes by number
        self._left: defaultdict[Hashable, deque[tuple[int, int]]] = defaultdict(deque)
        self._end = 0
        self._secrets = Secrets()

    def __enter__(self) -> JsonlLog[Record]:
        """Opens the file.

        Raises:
            UserError: The file holds the records of another task or configuration; nothing was changed.
            RunError: It cannot be written.
        """
        self._file: FileIO
        with writing(self._path.parent):
            if self._key is not None and self._path.exists():
                self._continue(self._key)
            else:
                self._open("w+b")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the file; an error of that does not hide an earlier one, which says more."""
        try:
            with writing(self._path.parent):
                self._file.close()
        except RunError:
            if kind is None:
                raise

    @property
    def continued(self) -> bool:
        """Whether it holds unclaimed records."""
        return any(self._left.values())

    def claim(self, number: int, key: Hashable) -> Record | None:
        """Returns an earlier run's record with this key, each once, and numbers it; None if there is none."""
        places = self._left.get(key)
        if not places:
            return None
        offset, size = self._places[number] = places.popleft()
        self._file.seek(offset)
        record: Record = json.loads(self._file.read(size))
        return record

    def settle(self) -> None:
        """Drops unclaimed records."""
        self._left.clear()

    def append(self, number: int, record: Record) -> None:
        """Writes a record.

        Args:
            number: Its place in the sorted file; an existing record with this number is replaced.
            record: JSON values.

        Raises:
            RunError: The disk is full, or the file cannot be written for another reason.
        """
        data = self._line(record)
        with writing(self._path.parent):
            # A record that could not be written completely does not count, and the next one overwrites it.
            self._file.seek(self._end)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._places[number] = self._end, len(data)
        self._end += len(data)

    def sort(self, edit: Callable[[int, Record], Record] | None = None) -> None:
        """Sorts the records by number; those that can still be claimed follow after them.

        Args:
            edit: From a record's number and the record to its replacement.

        Raises:
            RunError: The file cannot be written.
        """
        with (
            writing(self._path.parent),
            replaced(self._path) as part,
            self._path.open("rb") as old,
            part.open("wb") as new,
        ):
            for number, (offset, size) in sorted(self._places.items()):
                old.seek(offset)
                line = old.read(size)
                if edit is not None:
                    line = self._line(edit(number, json.loads(line)))
                new.write(line)
            for offset, size in chain.from_iterable(self._left.values()):
                old.seek(offset)
                new.write(old.read(size))

    def _continue(self, key: RecordKey[Record]) -> None:
        end, rejected = 0, []
        with self._path.open("rb") as file:
            for count, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                place = f"{self._path}:{count}"
                try:
                    known = key(place, json.loads(line))
                except (ValueError, RecursionError) as error:  # not JSON, or no record of this command
                    rejected.append((f"{place}: {error}", line))
                else:
                    if known is not None:
                        self._left[known].append((end, len(line)))
                end += len(line)
        self._put_aside(rejected)
        self._open("r+b")
        self._file.truncate(end)
        self._end = end

    def _put_aside(self, rejected: Sequence[tuple[str, bytes]]) -> None:
        """Keeps the lines that are no records in a file of their own, and says so once."""
        if not rejected:
            return
        aside = self._path.with_suffix(f".rejected{self._path.suffix}")
        before = set(aside.read_bytes().splitlines(keepends=True)) if aside.is_file() else set()
        with aside.open("ab") as file:
            file.writelines(line for _, line in rejected if line not in before)
        _log.warning(
            "%s; lines that do not hold: %d, put aside in %s; their problems are done again",
            rejected[0][0],
            len(rejected),
            aside.name,
        )

    def _open(self, mode: Literal["w+b", "r+b"]) -> None:
        # Unbuffered: closing the file does not retry failed writes.
        self._file = self._path.open(mode, buffering=0)

    def _line(self, record: object) -> bytes:
        return well_formed(self._secrets.hide(json.dumps(record, ensure_ascii=False))).encode() + b"\n"


class MemoryLog(Generic[Record]):
    """Records held in memory; like a `JsonlLog` that resumes nothing."""

    continued = False

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}

    @property
    def records(self) -> list[Record]:
        """The records in the order of their numbers."""
        return [record for _, record in sorted(self._records.items())]

    def claim(self, number: int, key: Hashable) -> Record | None:
        """Returns None."""
        return None

    def settle(self) -> None:
        """Does nothing."""

    def append(self, number: int, record: Record) -> None:
        """Keeps a record."""
        self._records[number] = record
