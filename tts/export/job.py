"""Training data to another program's format: composed, checked, written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tts.config.build import Config, build
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.settings import Text
from tts.export.data import Data, read_data
from tts.export.format import Format
from tts.files.paths import expanded
from tts.files.writing import write_whole, writing
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources

_NAMES = ("train.jsonl", "pairs.jsonl", "labels.jsonl")


@dataclass(frozen=True)
class ExportJob:
    """The objects of one run.

    Attributes:
        identity: The hash of its configuration.
        data: What is exported.
        format: How.
    """

    identity: str
    data: Data
    format: Format

    async def run(self, resources: Resources, folder: Path) -> int:
        """Writes the data in its format, and `summary.json`; returns the number of rows.

        Raises:
            UserError: A row is wrong, or a package is missing.
            RunError: The disk is full.
        """
        with writing(folder):
            rows = self.format.write(self.data, folder)
            summary = {"rows": rows, "kind": self.data.kind, "file": self.format.name, "config_hash": self.identity}
            write_whole(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
        return rows


def compose_export(config: Config, identity: str, resources: Resources) -> ExportJob:
    """Creates and checks everything that `config` names.

    Raises:
        UserError: The configuration cannot work, or the format's program does not read this kind of data.
    """
    check_groups(config, ("format",))
    fit(config["data"], Text | None, "data")
    if config["data"] is None:
        raise UserError("data: name the file: tts export data=RUN/train.jsonl format=trl")
    data = read_data(_file(config["data"]))
    form: Format = build(config["format"], "format", role=Format)
    form.check(data)
    return ExportJob(identity, data, form)


def _file(path: str) -> Path:
    place = expanded(path)
    if not place.is_dir():
        return place
    there = [name for name in _NAMES if (place / name).is_file()]
    if len(there) != 1:
        held = " and ".join(there) or f"none of {', '.join(_NAMES)}"
        raise UserError(f"data: the folder {place} holds {held}; name the file")
    return place / there[0]
