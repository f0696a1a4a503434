"""The run directories of a sweep's cells: named by configuration, each finished once.

A cell is a run directory whose name ends in the hash of its configuration: equal configurations share a directory,
across sweeps and in any order, and different ones never do. `status.json` holds its progress. The state of cells is
only in files, so that any launcher can run them in any process.
"""

from __future__ import annotations

import fcntl
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TypedDict, cast

from omegaconf import DictConfig, OmegaConf

from tts.cli.objective import Objective
from tts.config.build import NOT_SHAPING, Config, config_hash
from tts.core.errors import UserError
from tts.core.secrets import Secrets
from tts.core.settings import inside
from tts.core.userinfo import without_userinfo
from tts.files.objects import read_object
from tts.files.writing import check_folder, write_whole, writing

_log = logging.getLogger(__name__)

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
            public = Secrets({key: value}).hide(without_userinfo(value))
            name = public.rsplit("/", 1)[-1].strip("'\"")  # for a path, the file name is enough
            shown.append(f"{key.lstrip('+')}={name}")
    text = re.sub(r"[^\w.,=@~-]+", "_", ",".join(shown), flags=re.ASCII)[:_LONGEST]
    return f"{text}-{identity}" if text else identity


class _Status(TypedDict, total=False):
    """`status.json`; empty if there is none."""

    config_hash: str
    state: Literal["running", "interrupted", "failed", "finished"]
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
        self._lock = folder / ".lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Prevents other processes from running in the same directory.

        Raises:
            UserError: Another process is running in it, or something else stands where the run writes its files.
            RunError: It cannot be written.
        """
        check_folder(self.folder)
        with writing(self.folder):
            file = self._lock.open("w")  # released when the process ends, even if killed
        with file:
            if not _locked(file):
                raise UserError(f"{self.folder}: another process is running there; wait for it or end it")
            yield

    @property
    def begun(self) -> bool:
        """Whether a run, of any configuration, has begun here; a plan does not."""
        return self._status.exists()

    @property
    def finished(self) -> bool:
        """Whether this configuration was run here to its end, without an error in any problem."""
        status = self._read()
        same = status.get("config_hash") == self._identity
        return same and status.get("state") == "finished" and bool(read_object(self.folder / "summary.json"))

    def check(self) -> None:
        """Checks that the directory's results, if any, are those of this configuration.

        If `status.json` does not read, as after a power cut, unknown results are moved to `results.unknown.jsonl`.

        Raises:
            UserError: They are those of another or an unknown configuration.
        """
        results, status = self.folder / "results.jsonl", self._read()
        # The name of a sweep's cell says what it holds.
        if self.folder.name.endswith(self._identity) or not results.exists():
            return
        if "config_hash" not in status and self._status.exists():
            unknown = results.with_name("results.unknown.jsonl")
            with writing(self.folder):
                results.replace(unknown)
            _log.warning("%s does not read; %s has the results of whatever ran there", self._status, unknown.name)
        elif status.get("config_hash") != self._identity:
            raise UserError(
                f"{self.folder}: holds the results of another configuration, which cannot be resumed; give this run its "
                "own directory (hydra.run.dir, hydra.sweep.dir) or set resume=false to overwrite them"
            )

    def check_empty(self) -> None:
        """Raises UserError if the directory holds a record of a problem that did not fail, which a run would overwrite."""
        results = self.folder / "results.jsonl"
        if not results.exists():
            return
        with results.open("rb") as lines:
            if any(b'"error": null' in line for line in lines):
                raise UserError(
                    f"{self.folder}: holds the results of a run; go on with it by resume=true, overwrite it by "
                    "resume=false, or name another directory (hydra.run.dir)"
                )

    def begin(self) -> None:
        """Records that the run has begun."""
        self._write({"state": "running", "errors": []})

    def interrupt(self) -> None:
        """Records that the run was interrupted."""
        self._write({"state": "interrupted", "errors": []})

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
            return status.get("exit_status", 1), "; ".join(status.get("errors", ())) or "see the directory"
        if status.get("state") == "interrupted":
            return 1, "was interrupted"
        if status.get("state") == "running" and self._owned():
            return 1, "another process is running it"
        return 1, "did not finish: its process was killed"

    def objective(self, objective: Objective | None) -> float | None:
        """Returns the run's objective for an optimising sweeper; None if the run has no summary, or its command no figure.

        Raises:
            UserError: The run has no such rate.
        """
        summary = read_object(self.folder / "summary.json")
        with inside("objective"):
            return objective.of(summary) if objective is not None and summary else None

    def _owned(self) -> bool:
        """Whether a living process is running in it."""
        try:
            with self._lock.open() as file:
                return not _locked(file)
        except OSError:
            return False

    def _read(self) -> _Status:
        return cast(_Status, read_object(self._status))

    def _write(self, status: _Status) -> None:
        with writing(self.folder):
            write_whole(self._status, json.dumps({"config_hash": self._identity, **status}, indent=2) + "\n")


def _locked(file: IO[str]) -> bool:
    """Locks a file until it is closed; returns whether that succeeded."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
