"""Finds run directories and reads their summaries and configurations, before any result."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.config.build import NOT_SHAPING
from tts.config.yaml_files import read_yaml
from tts.core.errors import UserError
from tts.files.objects import read_object
from tts.runtime.simulations import SAID

Warn = Callable[[str], None]

_PACKAGE = re.compile(r"\$\{package:([^}]+)\}")
_FILES = {"results.jsonl", "summary.json", "status.json"}
"""Files of which any indicates a run."""


@dataclass(frozen=True)
class Source:
    """A run directory before its results are read.

    Attributes:
        folder: The directory.
        name: Its path below the given directory.
        summary: `summary.json`.
        config: `.hydra/config.yaml`; empty if there is none.
        overrides: `.hydra/overrides.yaml`.
    """

    folder: Path
    name: str
    summary: Mapping[str, object]
    config: dict[str, object]
    overrides: tuple[str, ...]

    @property
    def strategy(self) -> str:
        """The strategy's class, or `run` without a configuration."""
        return str(self._search.get("_target_", "run")).rsplit(".", 1)[-1]

    @property
    def selection(self) -> str:
        """The strategy's selection rule; `majority` if it has no such setting."""
        return str(self._search.get("selection", "majority"))

    @property
    def n(self) -> int | None:
        """The configured number of samples (N); None if it was left to `compute`."""
        value = self._search.get("n")
        return value if isinstance(value, int) and self._search.get("compute") is None else None

    @property
    def k(self) -> int | None:
        """The configured number of votes (K)."""
        verifier = self.config.get("verifier")
        value = verifier.get("votes") if isinstance(verifier, dict) else None
        return value if isinstance(value, int) else None

    def named(self, role: str) -> str:
        """Returns what the run had for `task`, `policy` or `verifier`: its class, and its model or data."""
        node = self.config.get(role)
        if not isinstance(node, dict):
            return "unknown"
        engine = node.get("engine")
        place = (engine.get("model") if isinstance(engine, dict) else None) or node.get("path") or node.get("name")
        places = [_short(each) for each in (place if isinstance(place, list) else [place]) if isinstance(each, str)]
        return " ".join([str(node.get("_target_", "unknown")).rsplit(".", 1)[-1], *places])

    @property
    def policy(self) -> str:
        """A key shared by runs whose policies write alike: with equal settings, however its log-probabilities are kept."""
        return json.dumps(_without("top_logprobs", self.config.get("policy")), sort_keys=True, default=str)

    @property
    def seed(self) -> int | None:
        """The run's seed."""
        value = self.summary.get("seed", self.config.get("seed"))
        return value if isinstance(value, int) else None

    @property
    def setting(self) -> str:
        """A key shared by runs that differ only in their seed."""
        return json.dumps(self._shaping, sort_keys=True, default=str) if self.config else self.name

    @property
    def family(self) -> str:
        """A key shared by runs that differ only in N, K and seed."""
        if not self.config:
            return self.name
        config = self._shaping
        for group, keys in (("search", ("n", "compute")), ("verifier", ("votes",))):
            node = config.get(group)
            if isinstance(node, dict):
                config[group] = {name: value for name, value in node.items() if name not in keys}
        return json.dumps(config, sort_keys=True, default=str)

    @property
    def told(self) -> bool:
        """Whether its search used the reference answers, so that its accuracy is an upper bound, not a result."""
        return bool(self.summary.get("reads_answers"))

    @property
    def simulated(self) -> tuple[str, ...]:
        """What of the run was not real, `answers` or `time`; nothing for runs that do not say."""
        found = self.summary.get("simulated")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def marks(self) -> tuple[str, ...]:
        """Why its figures are no results, so that it is on no front and no reference; nothing where they are."""
        said = [SAID[name] for name in self.simulated if name in SAID]
        return ("told the answers",) * self.told + tuple(said)

    @property
    def guided(self) -> bool:
        """Whether its candidates are not independent samples of the policy; false for runs that do not say."""
        return bool(self.summary.get("guided"))

    @property
    def timed(self) -> bool:
        """Whether its wall-clock time covers all of its work: it was not resumed and took nothing from a bank."""
        roles = [part for part in self.summary.values() if isinstance(part, dict)]
        used = _sum(part.get("completion_tokens") for part in roles)
        # Policy and verifier have theirs in `generated`, further roles beside what they used.
        generated = self._part("generated")
        own = _sum((*generated.values(), *(part.get("generated_tokens") for part in roles)))
        return not self.summary.get("resumed") and (not generated or own >= used)

    def _part(self, key: str) -> dict[str, object]:
        part = self.summary.get(key)
        return part if isinstance(part, dict) else {}

    @property
    def _shaping(self) -> dict[str, object]:
        return {key: value for key, value in self.config.items() if key not in (*NOT_SHAPING, "seed")}

    @property
    def _search(self) -> dict[str, object]:
        search = self.config.get("search")
        return search if isinstance(search, dict) else {}


def find(folders: Sequence[Path], warn: Warn) -> list[Source]:
    """Returns all run directories below some directories, in the order of their paths, each once.

    Raises:
        UserError: A directory does not exist, or none holds a run.
    """
    found: dict[Path, Source] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such directory")
        before = len(found)
        for path in sorted(_places(folder)):
            source = _source(path, folder, warn)
            if source is not None:
                found.setdefault(path.resolve(), source)
        if len(found) == before and len(folders) > 1:
            warn(f"{folder}: no further run below it")
    if not found:
        places = ", ".join(map(str, folders))
        raise UserError(f"{places}: no finished run below it; a run directory holds results.jsonl and summary.json")
    return list(found.values())


def _places(folder: Path) -> Iterator[Path]:
    """Yields the directories that have any of a run's files."""
    for place, folders, files in os.walk(folder):
        if not _FILES.isdisjoint(files):
            folders[:] = [name for name in folders if name != "trees"]  # which may hold many files
            yield Path(place)


def _source(folder: Path, below: Path, warn: Warn) -> Source | None:
    status = read_object(folder / "status.json")
    if not (folder / "results.jsonl").is_file():  # a pipe would never end
        if "state" in status:
            errors = status.get("errors")
            reasons = "; ".join(map(str, errors if isinstance(errors, list) else ()))
            warn(f"{folder}: left out, it has no results: {reasons or 'its run did not finish'}")
        elif "accuracy" in read_object(
            folder / "summary.json"
        ):  # outputs of other commands, such as judge, are not runs
            warn(f"{folder}: left out, it has a summary.json but no results.jsonl")
        return None
    summary = read_object(folder / "summary.json")
    if not summary:
        warn(f"{folder}: left out, it has no readable summary.json: the run was not finished; run its command again")
        return None
    if "subsets" in summary and "accuracy" not in summary:
        warn(f"{folder}: left out, it is a run of tts.judge; its figures are in its summary.json")
        return None
    if status.get("state") in ("running", "interrupted"):
        warn(f"{folder}: its run did not finish; its finished problems count. Run its command again to resume")
    overrides = _yaml(folder / ".hydra" / "overrides.yaml")
    config = _yaml(folder / ".hydra" / "config.yaml")
    name = str(folder.relative_to(below)) if folder != below else folder.resolve().name
    return Source(
        folder,
        name,
        summary,
        config if isinstance(config, dict) else {},
        tuple(map(str, overrides)) if isinstance(overrides, list) else (),
    )


def _short(place: str) -> str:
    """Returns the last part of a path, of a hub id or of a package's name."""
    package = _PACKAGE.match(place)
    return package[1] if package else place.rstrip("/").rsplit("/", 1)[-1]


def _without(name: str, value: object) -> object:
    """Returns a configuration without the settings of a name, at any depth."""
    if isinstance(value, dict):
        return {key: _without(name, part) for key, part in value.items() if key != name}
    return value


def _sum(values: Iterable[object]) -> float:
    return sum(value for value in values if isinstance(value, int | float))


def _yaml(path: Path) -> object:
    try:
        return read_yaml(path)
    except UserError:
        return None
