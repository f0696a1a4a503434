"""The run directories of a sweep's cells: named by configuration, each finished once.

A cell is a run directory whose name ends in the hash of its configuration: equal configurations share a directory,
across sweeps and in any order, and different ones never do. `status.json` holds its progress. The state of cells is
only in files, so that any launcher can run them in any process.
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
from tts.core.secrets import Secrets
from tts.core.settings import inside
from tts.core.userinfo import without_userinfo
from tts.files.writing import write_whole, writing

_LONGEST = 100
"""Characters of a directory's name before the hash; file systems allow 255 bytes."""


def cell(*, _root_: DictConfig) -> str:
    """Returns the name of a cell's directory, `${cell:}`: its overrides, for readability, and the configuration's hash.

    An existing directory with the same hash is used whatever its name: its overrides may have been written differently.
    """
    plain: Config = OmegaConf.to_container(_root_, resolve=False)  # type: ignore[assignment]
    identity = config_hash({key: value for key, value in plain.items() if key != "hydra"})
    there = sorted(Path(_root_.hydra.sweep.dir).glob(f"*{identity}"))
    return there[0].name if there else cell_name(list(_root_.hydra.overrides.task), identity)


OmegaConf.register_new_resolver("cell", cell, replace=True)


def cell_name(overrides: Sequence[str], identity: str) -> str:
    """Returns the name of a new directory: the overrides that affect results, and the hash.

    Those with short keys come first: they are more likely to be swept than, say, a server's address.
    """
    shown = []
    for key, _, value in sorted(
        (override.partition("=") for override in overrides), key=lambda parts: (len(parts[0]), parts)
    ):
        if re.split(r"[.@]", key.lstrip("+~"))[0] not in NOT_SHAPING:
            # For a path, the file name is enough.
            public = Secrets({key: value}).hide(without_userinfo(value))
            shown.append(f"{key.lstrip('+')}={public.rsplit('/', 1)[-1]}")
    text = re.sub(r"[^\w.,=@~-]+", "_", ",".join(shown), flags=re.ASCII)[:_LONGEST]
    return f"{text}-{identity}" if text else identity


class _Status(TypedDict, total=False):
    """`status.json`; empty if there is none."""

    config_hash: str
    state: Literal["running", "failed", "finished"]
    exit_status: int
    errors: list[str]


class RunDirectory:
    """A run directory and its progress.

    Args:
        folder: The directory.
        identity: The hash of the configuration to run in it.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self._identity = identity
        self._status = folder / "status.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Prevents other processes from running in the same directory.

        Raises:
            UserError: Another process is running in it.
        """
        with (self.folder / ".lock").open("w") as file:  # released when the process ends, even if killed
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.folder}: another process is running there; wait for it or end it") from None
            yield

    @property
    def finished(self) -> bool:
        """Whether this configuration was run here to its end, without an error in any problem."""
        status = self._read()
        same = status.get("config_hash") == self._identity
        return same and status["state"] == "finished" and (self.folder / "summary.json").is_file()

    def check(self) -> None:
        """Raises UserError if the directory holds results of another or an unknown configuration."""
        if (self.folder / "results.jsonl").exists() and self._read().get("config_hash") != self._identity:
            raise UserError(
                f"{self.folder}: holds the results of another configuration, which cannot be resumed; give this run its "
                "own directory (hydra.run.dir, hydra.sweep.dir) or set resume=false to overwrite them"
            )

    def begin(self) -> None:
        """Records that the run has begun."""
        self._write({"state": "running", "errors": []})

    def end(self, status: int, errors: Sequence[str]) -> None:
        """Records how the run ended.

        Args:
            status: The exit status.
            errors: The printed error messages.
        """
        self._write({"state": "failed" if status else "finished", "exit_status": status, "errors": list(errors)})

    @property
    def cut(self) -> bool:
        """Whether a run was begun here, or about to be, that did not end, neither with an error nor without."""
        return self._read().get("state") not in ("finished", "failed")

    def failure(self) -> tuple[int, str] | None:
        """Returns the exit status of an unfinished run, and the reason; None if it was finished."""
        status = self._read()
        if status.get("state") == "finished":
            return None
        if status.get("state") == "failed":
            return status["exit_status"], "; ".join(status["errors"]) or "see the directory"
        return 1, "did not finish: its process was killed, or another process is still running it"

    def objective(self, objective: Objective) -> float | None:
        """Returns the run's objective for an optimising sweeper; None if the run has no summary.

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
