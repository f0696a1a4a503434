"""Writing a run's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tts.core.errors import RunError
from tts.core.secrets import Secrets
from tts.core.well_formed import well_formed


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Ends the run if one of its files cannot be written, as on a full disk.

    Raises:
        RunError: A file could not be written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written: {error.strerror}; finished records are kept: fix this (free space?) and run the "
            "same command again"
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Writes a file atomically: completely or not at all, even if the process is killed."""
    part = path.with_name(path.name + ".tmp")
    part.write_text(well_formed(Secrets().hide(text)), "utf-8")
    part.replace(path)
