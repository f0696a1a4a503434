"""Rows of local data files, each with its place for error messages."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tts.core.errors import UserError
from tts.core.json import Json
from tts.core.well_formed import well_formed_json

_LINES = (".jsonl", ".jsonl.gz")
_ARRAY = (".json", ".json.gz")
_TABLE = (".csv", ".csv.gz")


def read_rows(path: Path) -> Iterator[tuple[str, object]]:
    """Yields the rows of JSON Lines (`.jsonl`), of a JSON array (`.json`) or of a table (`.csv`), optionally with `.gz`.

    Blank lines are skipped; a byte-order mark is allowed. Half of a surrogate pair becomes U+FFFD. A table's first row names
    its fields, which are texts.

    Args:
        path: The file; a relative one is relative to the current directory.

    Yields:
        The row's place, `file:line` or, in an array, `file, row number` (counted from 0), and its value.

    Raises:
        UserError: The file is missing, of another kind, not UTF-8 or broken; names the line.
    """
    if not path.name.endswith(_LINES + _ARRAY + _TABLE):
        raise UserError(f"{path}: a data file's name must end in {', '.join(_LINES + _ARRAY + _TABLE)}")
    read = _array if path.name.endswith(_ARRAY) else _table if path.name.endswith(_TABLE) else _lines
    for place, row in _rows(path, read):
        yield place, well_formed_json(row)


def read_lines(path: Path, *, exact: bool = False) -> Iterator[tuple[str, object]]:
    """Yields the rows of a JSON Lines file, whatever its name ends in; otherwise as `read_rows`.

    Args:
        path: The file.
        exact: Whether to keep halves of surrogate pairs. Single tokens of a model can contain them.
    """
    for place, row in _rows(path, _lines):
        yield place, row if exact else well_formed_json(row)


def _rows(path: Path, read: Callable[[Path, BinaryIO], Iterator[tuple[str, Json]]]) -> Iterator[tuple[str, Json]]:
    if not path.is_file():
        folder = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise UserError(f"there is no data file {path}{folder}; check the path")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from read(path, cast(BinaryIO, file))
    except (OSError, EOFError, zlib.error) as error:  # of gzip files: another, a truncated, a damaged one
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[str, Json]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{path}:{number}", _parse(path, number, line.rstrip())


def _table(path: Path, file: BinaryIO) -> Iterator[tuple[str, Json]]:
    table = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True)
    end = 0  # the last line of the row before
    try:
        names, end = table.fieldnames or (), table.line_num
        if len(set(names)) < len(names):
            raise UserError(f"{path}:1: it names a field twice")
        for row in table:
            place, end = f"{path}:{end + 1}", table.line_num
            if None in row:
                raise UserError(f"{place}: it has more cells than the first row names")
            yield place, {name: cell for name, cell in row.items() if cell is not None}
    except UnicodeDecodeError as error:
        what = f"not UTF-8: byte {error.object[error.start]:#04x}; save the file as UTF-8"
        raise UserError(f"{path}:{end + 1}: {what}") from None
    except csv.Error as error:
        raise UserError(f"{path}:{end + 1}: broken table: {error}") from None


def _array(path: Path, file: BinaryIO) -> Iterator[tuple[str, Json]]:
    content = file.read()
    rows = _parse(path, 1, content) if content.strip() else []
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected an array of rows; a file with one row per line must be named .jsonl")
    for number, row in enumerate(rows):
        yield f"{path}, row {number}", row


def _parse(path: Path, first_line: int, content: bytes) -> Json:
    try:
        text = content.decode("utf-8-sig" if first_line == 1 else "utf-8")
        row: Json = json.loads(text, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        line = first_line + content.count(b"\n", 0, error.start)
        raise UserError(f"{path}:{line}: not UTF-8: byte {content[error.start]:#04x}; save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise UserError(f"{path}:{line}: broken JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # numbers with thousands of digits, brackets nested a thousand deep
        raise UserError(f"{path}:{first_line}: unusable JSON: {error}") from None
    return row


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return fields
