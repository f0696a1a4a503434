"""The directories that a command makes: typing errors and dry runs leave none."""

from __future__ import annotations

import fnmatch
import os
import shutil
from contextlib import suppress
from pathlib import Path

from tts.files.objects import read_object

_BEFORE = (
    "config.yaml",
    "hydra.yaml",
    "overrides.yaml",
    "multirun.yaml",
    "*.log",
    ".lock",
    "bank.sqlite",
    "bank.sqlite-*",
)
"""Files that are there before anything is computed."""


class Footprint:
    """Removes the directories that were made for runs of which nothing was run."""

    def __init__(self) -> None:
        self._made: list[tuple[Path, Path]] = []

    def expect(self, folder: Path) -> None:
        """Remembers a directory that is about to be made; one that exists already is left alone."""
        folder = folder.absolute()
        missing = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
        if missing:
            self._made.append((folder, missing[-1]))

    def clear(self) -> None:
        """Removes the directories in which nothing was computed, and emptied ones above."""
        made, self._made = self._made, []
        for folder, first in made:
            if _used(folder):
                continue
            with suppress(OSError):  # another process has begun a run beside it, or the directory is gone
                shutil.rmtree(folder)
                for place in folder.parents:
                    if not place.is_relative_to(first):
                        break
                    place.rmdir()


def _used(folder: Path) -> bool:
    # A run that was refused before it computed anything has its status, and nothing else.
    refused = read_object(folder / "status.json").get("exit_status") == 2
    known = (*_BEFORE, "status.json") if refused else _BEFORE
    names = (name for _, _, files in os.walk(folder) for name in files)
    return not all(any(fnmatch.fnmatch(name, each) for each in known) for name in names)
