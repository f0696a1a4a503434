"""The cells of a sweep: named by what they are, each finished once.

A cell is a run directory. Its name ends in the hash of its configuration: equal ones have one directory, in whatever
order and by whatever sweep they come, and different ones never do. `status.json` tells how far it came. What is known of
cells is known from files alone, so that it does not matter which launcher runs them, and in which process.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypedDict

from omegaconf import DictConfig, OmegaConf

from tts.cli.objective import Objective
from tts.config.build import NOT_SHAPING, Config, config_hash
from tts.core.errors import UserError
from tts.core.settings import inside
from tts.files.writing import write_whole, writing

_LONGEST = 100
"""Characters of a directory's name before the hash; file systems allow 255 bytes."""


def cell(*, _root_: DictConfig) -> str:
    """Returns the name of a cell's directory, `${cell:}`: what was overridden, for the eye, and the configuration's hash.

    A directory of the same configuration is taken whatever it is called: it may have been overridden otherwise.
    """
    plain: Config = OmegaConf.to_container(_root_, resolve=False)  # type: ignore[assignment]
    identity = config_hash({key: value for key, value in plain.items() if key != "hydra"})
    there = sorted(Path(_root_.hydra.sweep.dir).glob(f"*{identity}"))
    return there[0].name if there else cell_name(list(_root_.hydra.overrides.task), identity)


OmegaConf.register_new_resolver("cell", cell, replace=True)


def cell_name(overrides: Sequence[str], identity: str) -> str:
    """Returns the name of a new directory: the overrides that shape results, and the hash.

    Those with short keys come first: what is swept is rather among them than where a server is found.
    """
    shown = []
    for key, _, value in sorted(
        (override.partition("=") for override in overrides), key=lambda parts: (len(parts[0]), parts)
    ):
        if re.split(r"[.@]", key.lstrip("+~"))[0] not in NOT_SHAPING:
            # Of a path, the file's name tells enough.
            shown.append(f"{key.lstrip('+')}={value.rsplit('/', 1)[-1]}")
    text = re.sub(r"[^\w.,=@~-]+", "_", ",".join(shown), flags=re.ASCII)[:_LONGEST]
    return f"{text}-{identity}" if text else identity


class _Status(TypedDict, total=False):
    """`status.json`; empty where there is none."""

    config_hash: str
    state: Literal["running", "failed", "finished"]
    exit_status: int
    errors: list[str]


class RunDirectory:
    """A run directory and how far it came.

    Args:
        folder: The directory.
        identity: The hash of the configuration that is to be run in it.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self._identity = identity
        self._status = folder / "status.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other processes from running in the same directory.

        Raises:
            UserError: One does.
        """
        with (self.folder / ".lock").open("w") as file:  # given back when the process ends, however it does
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.folder}: another process is at work there; wait for it or end it") from None
            yield

    @property
    def finished(self) -> bool:
        """Whether this configuration was run here to its end, and every problem without an error."""
        status = self._read()
        same = status.get("config_hash") == self._identity
        return same and status["state"] == "finished" and (self.folder / "summary.json").is_file()

    def check(self) -> None:
        """Raises UserError where the directory holds results of another configuration, or of one that is not known."""
        if (self.folder / "results.jsonl").exists() and self._read().get("config_hash") != self._identity:
            raise UserError(
                f"{self.folder}: holds the results of another configuration, which cannot be gone on with; give this run a "
                "directory of its own (hydra.run.dir, hydra.sweep.dir) or set resume=false to overwrite them"
            )

    def begin(self) -> None:
        """Notes that the run has begun."""
        self._write({"state": "running", "errors": []})

    def end(self, status: int, errors: Sequence[str]) -> None:
        """Notes how the run ended.

        Args:
            status: Its exit status.
            errors: What the user was told.
        """
        self._write({"state": "failed" if status else "finished", "exit_status": status, "errors": list(errors)})

    @property
    def cut(self) -> bool:
        """Whether a run was begun here, or about to be, that has not come to its end, by an error or without."""
        return self._read().get("state") not in ("finished", "failed")

    def failure(self) -> tuple[int, str] | None:
        """Returns the exit status of a run that was not finished, and why; None where it was."""
        status = self._read()
        if status.get("state") == "finished":
            return None
        if status.get("state") == "failed":
            return status["exit_status"], "; ".join(status["errors"]) or "see the directory"
        return 1, "did not come to its end: its process was killed, or another one is still at it"

    def objective(self, objective: Objective) -> float | None:
        """Returns what a sweeper that optimises is told of the run; None where the run came to nothing.

        Raises:
            UserError: The run has no such rate.
        """
        summary = self.folder / "summary.json"
        with inside("objective"):
            return objective.of(json.loads(summary.read_text("utf-8"))) if summary.is_file() else None

    def _read(self) -> _Status:
        try:
            status: _Status = json.loads(self._status.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return status

    def _write(self, status: _Status) -> None:
        with writing(self.folder):
            write_whole(self._status, json.dumps({"config_hash": self._identity, **status}, indent=2) + "\n")
