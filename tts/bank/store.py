"""The bank's file: an SQLite database in WAL mode, which several processes may read and write at the same time.

Tables: `models`; `requests` (model, prompt, sampling); `samples`, the completions of requests; `files`, the digests of
checkpoints' files; `entries`, a model's or sandbox's results for inputs without a seed (a score, the output of code),
each under a key of its input. Keys are digests of contents.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tts.core.errors import RunError

_APPLICATION = 0x74747342  # "ttsB", in the file's header: distinguishes banks from other databases
_VERSION = 2
_READABLE = (1, 2)
"""Readable formats; they differ in the packing of samples (`tts.bank.codec`), and one file may hold both."""
_WAIT = 60.0
"""Seconds to wait for another process's lock; each is held for milliseconds."""

_AT_ONCE = 900
"""Seeds or keys per query; SQLite accepts at least 999 parameters, depending on its version and build."""

_SCHEMA = f"""
CREATE TABLE models (key BLOB PRIMARY KEY, name TEXT NOT NULL, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
    key BLOB PRIMARY KEY, model BLOB NOT NULL, sampling TEXT NOT NULL, prompt BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, request BLOB NOT NULL, seed INTEGER NOT NULL, made INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (request, seed)
);
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""

_ADDED = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, model BLOB NOT NULL, kind TEXT NOT NULL, made INTEGER NOT NULL,
    body BLOB NOT NULL
)
"""
"""A table that older banks lack; older versions of the program ignore it."""

_REMEDIES = {
    "NOTADB": "it is not a bank; name another file in bank.path",
    "CORRUPT": "the file is damaged; move it away (what can still be read: python -m tts.bank export) or name another "
    "file in bank.path",
    # Pruning would itself need space, for SQLite's journal.
    "FULL": "its disk is full; the stored results are intact: delete other files there and run the same command again",
    "IOERR": "the disk cannot be written or read, or is full; the stored results are intact: fix that and run the same "
    "command again",
    "TOOBIG": "a sample is larger than the database allows; run with bank.path=null",
    "BUSY": f"another program has held it locked for more than {_WAIT:.0f} seconds; end it or name another file in "
    "bank.path",
    "READONLY": "the file or its folder may not be written, which reading needs too; fix the permissions, copy it to "
    "your own folder, or name another file in bank.path",
    "CANTOPEN": "it cannot be opened; set bank.path to a file in a writable folder",
}


class BankError(RunError):
    """The bank cannot be used; says why and what to do."""


@dataclass(frozen=True)
class Row:
    """A sample with the keys and data that it is stored under.

    Attributes:
        model: The model's key.
        request: The request's key.
        sampling: The request's sampling parameters, JSON.
        prompt: The request's prompt, packed.
        seed: The sample's seed.
        body: The sample, packed.
    """

    model: bytes
    request: bytes
    sampling: str
    prompt: bytes
    seed: int
    body: bytes

    def insert(self, connection: sqlite3.Connection, made: int) -> None:
        """Inserts it unless it is already stored."""
        connection.execute(
            "INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?)", (self.request, self.model, self.sampling, self.prompt)
        )
        connection.execute(
            "INSERT OR IGNORE INTO samples (request, seed, made, body) VALUES (?, ?, ?, ?)",
            (self.request, self.seed, made, self.body),
        )


@dataclass(frozen=True)
class Entry:
    """A result for an input without a seed.

    Attributes:
        model: The key of the model or sandbox.
        kind: The name of such results, in the plural: `scores`.
        key: A digest of the input, the model and the kind.
        body: The result, packed.
    """

    model: bytes
    kind: str
    key: bytes
    body: bytes

    def insert(self, connection: sqlite3.Connection, made: int) -> None:
        """Inserts it unless it is already stored."""
        connection.execute(
            "INSERT OR IGNORE INTO entries (key, model, kind, made, body) VALUES (?, ?, ?, ?, ?)",
            (self.key, self.model, self.kind, made, self.body),
        )


class explaining_errors:  # noqa: N801  a context manager; as a class, since a generator doubles a look-up's cost
    """Turns SQLite's errors into ones that name the file and the remedy."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]
            remedy = _REMEDIES.get(name, "name another file in bank.path, or null for none")
            raise BankError(f"bank {self._path}: {error}: {remedy}") from None


def plain(name: str) -> str:
    """Returns a name that SQLite accepts: lone surrogates, from undecodable bytes of a path, are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


class Store:
    """A connection to a bank's file. To be used by one thread at a time.

    Args:
        path: The file.
        create: Whether to create it if missing.

    Raises:
        BankError: It is not a bank, has another version, or cannot be read and written.
    """

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        if not create and not path.is_file():
            raise BankError(f"bank {path}: no such file")
        with explaining_errors(path):
            # Every statement is a separate transaction unless one is begun.
            self.connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self.connection.close()
                raise

    def _open(self) -> None:
        # In this order: another process may create the bank in between.
        if not self._is_blank() and self._pragma("application_id") != _APPLICATION:
            raise BankError(f"bank {self.path}: another program's database; name another file in bank.path")
        self._use_wal()
        # In WAL mode this loses nothing when the process is killed, and only the last moments in a power cut.
        self._pragma("synchronous = NORMAL")
        with self.transaction():  # of several processes that arrive at once, one creates the tables
            if self._is_blank():
                for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                    self.connection.execute(statement)
            self.connection.execute(_ADDED)
            version = self._pragma("user_version")
            if version not in _READABLE:
                raise BankError(
                    f"bank {self.path}: its format is {version}, but this program reads {_VERSION} and older; name "
                    "another file in bank.path, or use the version of the program that wrote it"
                )
            if version != _VERSION:  # programs that cannot read the new format must refuse the file
                self._pragma(f"user_version = {_VERSION}")

    def _is_blank(self) -> bool:
        tables = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return not (tables or self._pragma("application_id") or self._pragma("user_version"))

    def _use_wal(self) -> None:
        end = time.monotonic() + _WAIT
        while True:
            try:
                mode = self._pragma("journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # SQLite itself does not wait here for other processes that are opening the file.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)
                continue
            if mode != "wal":
                raise BankError(f"bank {self.path}: its file system does not allow WAL; name a file on a local disk")
            return

    def _pragma(self, text: str) -> object:
        row = self.connection.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs its body in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def get(self, request: bytes, seeds: Sequence[int]) -> list[tuple[int, bytes]]:
        """Returns a request's stored samples of these seeds, as pairs of seed and packed sample."""
        rows: list[tuple[int, bytes]] = []
        with explaining_errors(self.path):
            for first in range(0, len(seeds), _AT_ONCE):
                some = seeds[first : first + _AT_ONCE]
                wanted = ",".join("?" * len(some))
                rows += self.connection.execute(
                    f"SELECT seed, body FROM samples WHERE request = ? AND seed IN ({wanted})", (request, *some)
                )
        return rows

    def put(self, rows: Iterable[Row | Entry]) -> None:
        """Stores samples and entries in one transaction; existing ones are unchanged."""
        now = int(time.time())
        with explaining_errors(self.path), self.transaction():
            for row in rows:
                row.insert(self.connection, now)

    def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the stored entries, packed, by key."""
        found: dict[bytes, bytes] = {}
        with explaining_errors(self.path):
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                wanted = ",".join("?" * len(some))
                found.update(self.connection.execute(f"SELECT key, body FROM entries WHERE key IN ({wanted})", some))
        return found

    def has_entries(self, model: bytes) -> bool:
        """Whether there is any entry of a model or sandbox."""
        with explaining_errors(self.path):
            found = self.connection.execute("SELECT 1 FROM entries WHERE model = ? LIMIT 1", (model,)).fetchone()
        return found is not None

    def put_model(self, key: bytes, name: str, identity: str) -> None:
        """Stores a model or sandbox."""
        with explaining_errors(self.path):
            self.connection.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?)", (key, plain(name), identity))

    def close(self) -> None:
        """Closes the connection."""
        with explaining_errors(self.path):
            self.connection.close()
