"""The identity of a checkpoint in a directory or a file: a digest of its contents.

All files are read completely, since nothing less is safe: training that changes a few rows of an embedding leaves the
sizes, the headers and most excerpts unchanged. This takes about a second per gigabyte, once: the bank stores the digest
of a file as long as its path, size and change time stay the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tts.bank.store import Store, explaining_errors, plain
from tts.core.errors import UserError

_NO_PART = (".md", ".lock")  # descriptions are not part of a checkpoint


def contents(place: Path, store: Store) -> str:
    """Returns a digest of the files of a checkpoint; equal digests mean the same model.

    Args:
        place: The checkpoint's directory or its only file. Its path, subdirectories and its README do not count.
        store: Stores the digests of files.

    Raises:
        UserError: A file cannot be read.
    """
    try:
        files = sorted(file for file in _files(place) if file.is_file() and file.suffix not in _NO_PART)
        known = {file: _remembered(file, store) for file in files}
        unknown = [file for file in files if known[file] is None]
        with ThreadPoolExecutor(8) as pool:  # hashing releases the GIL
            digests = dict(zip(unknown, pool.map(_read, unknown), strict=True))
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from None
    with explaining_errors(store.path), store.transaction():
        for digest, (path, size, changed) in digests.values():
            store.connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (path, size, changed, digest))
    whole = hashlib.blake2b(digest_size=16)
    for file in files:
        name = file.suffix if file == place else file.name
        whole.update(os.fsencode(name) + f"\0{known[file] or digests[file][0]}\0".encode())
    return whole.hexdigest()


def _files(place: Path) -> Iterable[Path]:
    return place.iterdir() if place.is_dir() else [place]


def _state(file: Path) -> tuple[str, int, int]:
    state = file.stat()
    # Copying programs can set the modification time, but not the change time.
    return plain(str(file.resolve())), state.st_size, state.st_ctime_ns


def _remembered(file: Path, store: Store) -> str | None:
    with explaining_errors(store.path):
        row = store.connection.execute(
            "SELECT digest FROM files WHERE path = ? AND size = ? AND changed = ?", _state(file)
        ).fetchone()
    return None if row is None else str(row[0])


def _read(file: Path) -> tuple[str, tuple[str, int, int]]:
    state = _state(file)  # before reading, so that a change during it is noticed next time
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest(), state
