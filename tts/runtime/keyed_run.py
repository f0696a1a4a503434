"""A run whose records are valid by their keys: the frame of the judge, of labelling and of synthesis."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypedDict, TypeVar

from tts.budget import Budget, Scope, Usage, charge, scope
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.files.jsonl_log import JsonlLog
from tts.files.objects import read_object
from tts.files.writing import write_whole, writing
from tts.runtime.batch import Ended, batch
from tts.runtime.executor import Work
from tts.runtime.keyed_records import KeyedRecords


class KeyedRow(TypedDict):
    """What such records have in common.

    Attributes:
        key: A hash of what the record depends on, see `KeyedRecords`.
    """

    id: str
    error: str | None
    key: str


T = TypeVar("T")
Row = TypeVar("Row", bound=KeyedRow)


class KeyedRun(ABC, Generic[T, Row]):
    """One run over a job's items, which leaves out those with a valid record.

    Subclasses say what a record is and what is counted of it.

    Args:
        work: Makes an item's record; its key is added here.
        folder: The run directory.
        budget: The limits of each item and of the run.

    Attributes:
        stopped: The limit of the run because of which items were left out; None if none were.
        resumed: Number of records from an earlier run.
        summary: The contents of `summary.json`, once the run has ended.
    """

    file: ClassVar[str] = "results.jsonl"
    item: ClassVar[str] = "problem"
    """What an item is called in messages."""
    idle: ClassVar[Mapping[str, object]] = {"engines": {}}
    """What the summary says of the work if none was ever started: it is not where no item is left."""

    def __init__(self, work: Work[T, Row], folder: Path, budget: Budget) -> None:
        self.work, self.folder, self.budget = work, folder, budget
        self.stopped: str | None = None
        self.resumed = 0
        self.summary: Summary = {}

    @abstractmethod
    def name(self, item: T) -> str:
        """Returns an item's id."""

    @abstractmethod
    def failed(self, item: T, message: str, meter: Scope) -> Row:
        """Returns the record of an item that ended with an error."""

    @abstractmethod
    def usage(self, row: Row) -> Mapping[str, Usage]:
        """Returns what a record cost, by role."""

    @abstractmethod
    def add(self, ended: Ended[Row]) -> str:
        """Takes a record into account; returns a few words for the line of progress."""

    @abstractmethod
    def conclude(self, log: JsonlLog[Row], meter: Scope, extra: JsonObject) -> Summary:
        """Sorts the records into the items' order; returns the contents of `summary.json`, with the entries of `extra`."""

    async def run(self, items: Sequence[T], resume: KeyedRecords, extra: JsonObject) -> None:
        """Makes the records that are missing.

        However it ends, the records are kept, sorted, and summarised.

        Args:
            items: The items.
            resume: Which records of an earlier run are valid.
            extra: Additional entries of the summary.

        Raises:
            UserError: The existing records have another configuration, or a model cannot be started; or the first items
                all failed in the same way.
            RunError: The disk is full, or something else that every item needs is gone.
        """
        place = self.folder / "summary.json"
        before: Summary = read_object(place)
        done = errors = 0
        started: JsonObject = {name: before.get(name, value) for name, value in self.idle.items()}

        def keyed(item: T, row: Row) -> Row:
            row["key"] = resume.key(self.name(item))
            return row

        async def work(item: T) -> Row:
            return keyed(item, await self.work.do(item))

        def failed(item: T, message: str, meter: Scope) -> Row:
            return keyed(item, self.failed(item, message, meter))

        def on_record(ended: Ended[Row]) -> None:
            nonlocal done, errors
            done, errors = done + 1, errors + (ended.record["error"] is not None)
            if ended.kept:
                self.resumed += 1
                for role, usage in self.usage(ended.record).items():
                    charge(role, usage)
            said = self.add(ended) + self.work.standing()
            tokens = sum(usage.generated_tokens for usage in run.usage.values())
            emit(lambda: Progressed(ended.record["id"], run.wall_s, done, errors, tokens, said))

        log = JsonlLog[Row](self.folder / self.file, resume.known_by)
        with log, scope("run", self.budget.run) as run:
            try:
                if not resume.complete:
                    started = await self.work.start()
                self.stopped = await batch(
                    items,
                    work,
                    log,
                    self.name,
                    failed=failed,
                    on_record=on_record,
                    limits=self.budget.problem,
                    in_flight=self.work.in_flight,
                    name=self.item,
                )
            finally:
                self.summary = self.conclude(log, run, {**started, **extra, **self.work.account()})
                with writing(self.folder):
                    write_whole(place, json.dumps(self.summary, indent=2) + "\n")
