"""What happens when a run's own files cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tts.core.errors import RunError
from tts.core.well_formed import well_formed


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Ends the run where one of its files cannot be written, as on a full disk.

    Raises:
        RunError: One could not.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written: {error.strerror}; what was finished is kept: mend that (make room?) and run the "
            "same command again"
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, also where the process is killed."""
    part = path.with_name(path.name + ".tmp")
    part.write_text(well_formed(text), "utf-8")
    part.replace(path)
