"""Writing a run's files."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tts.core.errors import RunError, UserError
from tts.core.json import JsonObject
from tts.core.secrets import Secrets
from tts.core.well_formed import well_formed

_WRITTEN = (".json", ".jsonl", ".log", ".lock", ".tmp")
"""What the names of a run's files end in."""

_ELSEWHERE = "choose another directory (hydra.run.dir, hydra.sweep.dir), or allow it,"
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or get a larger quota,",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EISDIR: "move the directory away",
    errno.ENOTDIR: "move the file away that a directory is needed for",
    errno.EEXIST: "move the file away that a directory is needed for",
    errno.ENAMETOOLONG: "choose a shorter path",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _ELSEWHERE),
}
_LONGEST = 200
"""Characters of a path that are shown."""


def shown(path: object) -> str:
    """Returns a path for a message, cut if it is longer than anything that a reader looks at."""
    text = str(path)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def of_files(error: OSError) -> bool:
    """Whether an error is about a file or the disk, for the user to mend, rather than about a connection or a process."""
    return error.filename is not None or error.errno in _REMEDIES


def refused(error: OSError) -> str:
    """Returns what the system refused, the file first, and what to do about it."""
    place = "" if error.filename is None else f"{shown(os.fsdecode(error.filename))}: "
    return f"{place}{error.strerror or error}; {_remedy(error)} and run the same command again"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Ends the run if one of its files cannot be written, as on a full disk.

    Raises:
        RunError: A file could not be written.
    """
    try:
        yield
    except OSError as error:
        place = folder if error.filename is None else os.fsdecode(error.filename)
        raise RunError(
            f"{shown(place)}: cannot be written: {error.strerror or error}; finished records are kept: {_remedy(error)} and "
            "run the same command again"
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Writes a file atomically: completely or not at all, even if the process is killed or the power fails."""
    with replaced(path) as part:
        part.write_text(well_formed(Secrets().hide(text)), "utf-8")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yields the path of a new file that replaces another, atomically, if the body writes it without an error."""
    part = path.with_name(path.name + ".tmp")
    try:
        yield part
        _sync(part)
        part.replace(path)
    except BaseException:
        with suppress(OSError):  # nothing is lost with it, and a full disk needs the space
            part.unlink()
        raise
    with suppress(OSError):  # not every file system can: the old file may then be back after a power cut
        _sync(path.parent)


def write_lines(path: Path, rows: Iterable[JsonObject]) -> int:
    """Writes rows as JSON lines, each as it comes, but the file completely or not at all; returns their number."""
    count, secrets = 0, Secrets()
    with replaced(path) as part, part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(well_formed(secrets.hide(json.dumps(row, ensure_ascii=False))) + "\n")
            count += 1
    return count


def append_line(path: Path, line: str) -> None:
    """Appends a line to a file of lines that several processes may append to: the whole line or nothing."""
    data = line.encode() + b"\n"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    written = 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        end = os.lseek(file, 0, os.SEEK_CUR)
        if end == os.fstat(file).st_size:  # nobody has appended more in the meantime
            os.ftruncate(file, end - written)
        raise
    finally:
        os.close(file)


def check_folder(folder: Path) -> None:
    """Checks, before anything is computed, that nothing stands where a run writes its files.

    Raises:
        UserError: A directory, a pipe or a protected file has the name of one of them.
        RunError: The directory cannot be read.
    """
    with writing(folder):
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if not entry.name.endswith(_WRITTEN):
            continue
        if not entry.is_file():
            raise UserError(f"{entry.path}: a run writes a file of this name, and this is none; move it away")
        if not os.access(entry.path, os.W_OK):
            raise UserError(f"{entry.path}: it cannot be written; allow it, or choose another directory")


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0, "mend this")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
