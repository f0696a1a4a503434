"""What was asked and found, in run directories: one for each search, which `tts report` and `tts.load` read."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from omegaconf import OmegaConf

from tts.budget import Scope
from tts.cli.run_directory import RunDirectory
from tts.core.secrets import Secrets
from tts.core.tree import save_tree
from tts.core.userinfo import without_userinfo
from tts.core.well_formed import well_formed
from tts.evaluation.job import described
from tts.evaluation.record import Record, checked, solved
from tts.evaluation.runner import charge_record
from tts.evaluation.solving import started
from tts.evaluation.summary import Tally, summarize
from tts.files.jsonl_log import JsonlLog
from tts.files.writing import append_line, write_whole, writing
from tts.runtime.composition import Composition
from tts.runtime.result import Result

_EVERY_S = 10.0
"""Seconds between two versions of a summary."""
_KEPT = 64
"""Runs whose counts are kept; those of others are read again from their files."""


class Recording:
    """Adds each search to the run directory of its configuration, also to that of an earlier server.

    Args:
        folder: The directory of the run directories. It belongs to one server at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: OrderedDict[Path, _Run] = OrderedDict()
        self._lock = ExitStack()

    def __enter__(self) -> Recording:
        """Makes the directory.

        Raises:
            UserError: Another server writes there.
            RunError: It cannot be made.
        """
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.enter_context(RunDirectory(self._folder, "").alone())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes the summaries of all runs."""
        with self._lock:
            for run in self._runs.values():
                run.summarize()

    async def add(self, model: str, composition: Composition, result: Result, meter: Scope) -> None:
        """Adds a search, under an id of its own.

        Args:
            model: The model's name.
            composition: The search, which the configuration and the summary of its directory describe.
            result: Its result.
            meter: Its cost.

        Raises:
            RunError: It cannot be written.
        """
        problem = replace(result.problem, id=uuid.uuid4().hex)
        found = replace(result.found, tree=replace(result.tree, problem=problem.id))
        record = await solved(problem, found, meter, composition.grader)
        run = self._run(model, composition)
        with writing(run.folder):
            save_tree(found.tree, run.folder / "trees")
            run.append(record, meter)

    def _run(self, model: str, composition: Composition) -> _Run:
        name = re.sub(r"[^\w.+-]", "_", model, flags=re.ASCII)
        folder = self._folder / f"{name}-{composition.identity}"
        if folder not in self._runs:
            self._runs[folder] = _Run(folder, composition)
            if len(self._runs) > _KEPT:
                _, oldest = self._runs.popitem(last=False)
                oldest.summarize()
        self._runs.move_to_end(folder)
        return self._runs[folder]


class _Run:
    """A run directory. It holds counts, and no record.

    Args:
        folder: The directory, named by the configuration.
        composition: The search.

    Raises:
        RunError: It cannot be written.
    """

    def __init__(self, folder: Path, composition: Composition) -> None:
        self.folder = folder
        self._composition = composition
        self._secrets = Secrets(composition.config)
        self._tally, self._meter = Tally(), Scope()
        self._summarized = 0.0
        with writing(folder):
            for name in ("trees", ".hydra"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            config = OmegaConf.to_yaml(OmegaConf.create(dict(composition.config)))
            write_whole(folder / ".hydra" / "config.yaml", self._public(config))
        with JsonlLog[Record](folder / "results.jsonl", self._earlier):
            pass  # read, and the incomplete line of a killed server dropped

    def append(self, record: Record, spent: Scope) -> None:
        """Adds a record, and what its search spent, of which the record does not say what was sampled anew."""
        append_line(
            self.folder / "results.jsonl", well_formed(self._secrets.hide(json.dumps(record, ensure_ascii=False)))
        )
        self._tally.add(record)
        for role, usage in spent.usage.items():
            self._meter.add(role, usage.nonzero())
        self._meter.hit.update(record["limits_hit"])
        if time.monotonic() - self._summarized > _EVERY_S:
            self.summarize()

    def summarize(self) -> None:
        """Writes the summary.

        Raises:
            RunError: It cannot be written.
        """
        self._summarized = time.monotonic()
        summary = summarize(self._tally, self._meter, described(self._composition, started(self._composition)))
        with writing(self.folder):
            write_whole(self.folder / "summary.json", self._public(json.dumps(summary, indent=2)) + "\n")

    def _earlier(self, _: str, read: Record) -> None:
        """Counts a record of an earlier server, which is not claimed."""
        record = checked(read)
        self._tally.add(record)
        charge_record(record, self._meter)

    def _public(self, text: str) -> str:
        return without_userinfo(self._secrets.hide(text))
