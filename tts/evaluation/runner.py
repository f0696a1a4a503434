"""A search over many problems: a record for each, a summary at the end."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Limits, Scope, Usage, scope
from tts.core import Problem
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.core.tree import tree_path
from tts.evaluation.record import Record, checked, failed
from tts.evaluation.solving import Solved
from tts.evaluation.summary import Tally, summarize
from tts.files.jsonl_log import JsonlLog, MemoryLog
from tts.files.writing import write_whole, writing
from tts.runtime.batch import Ended, batch
from tts.runtime.executor import Work


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        tally: The counts.
        summary: The contents of `summary.json`.
        stopped: The limit of the run because of which problems were left out; None if none were.
        records: The records in the task's order, if they were not written to a folder.
    """

    tally: Tally
    summary: Summary
    stopped: str | None = None
    records: tuple[Record, ...] = ()


class Runner:
    """Searches many problems concurrently.

    Args:
        work: Searches one problem; started.
        folder: The run directory; None keeps records in memory, and no trees.
        budget: The limits of each problem and of the run.
    """

    def __init__(self, work: Work[Problem, Solved], folder: Path | None, budget: Budget | None = None) -> None:
        self._work = work
        self._folder = folder
        self._budget = budget or Budget(Limits(), Limits())

    async def run(self, problems: Iterable[Problem], extra: JsonObject, resume: bool = False) -> Outcome:
        """Searches all problems; writes `results.jsonl`, `trees/` and `summary.json`.

        A problem whose search fails is recorded with its error, and the others continue. Records are appended as
        problems end, and sorted into the task's order at the end, also on cancellation or failure; the summary then
        covers the finished problems. Once a limit of the run is reached no further problem is started.

        Args:
            problems: The task's problems; iterated as needed, and once more beforehand when resuming.
            extra: Additional entries of the summary.
            resume: Whether existing records are kept. Otherwise the run starts from the beginning.

        Raises:
            UserError: A row of the task that could not be checked beforehand (from the hub) is invalid; or the first
                problems all failed in the same way.
            RunError: The disk is full, or something else that all problems need is gone.
        """
        tally, kept, stopped = Tally(), 0, None
        if self._folder is not None:
            with writing(self._folder):
                (self._folder / "trees").mkdir(parents=True, exist_ok=True)
                (self._folder / "summary.json").unlink(missing_ok=True)
        log = None if self._folder is None else JsonlLog(self._folder / "results.jsonl", _kept_key if resume else None)
        memory = MemoryLog[Record]()
        with scope("run", self._budget.run) as meter, log or nullcontext():

            def on_record(ended: Ended[Record]) -> None:
                nonlocal kept
                tally.add(ended.record)
                if ended.kept:
                    kept += 1
                    charge_record(ended.record, meter)
                generated = sum(usage.generated_tokens for usage in meter.usage.values())
                said = tally.headline + self._work.standing()
                name, counts = ended.record["id"], (tally.n_problems, tally.n_errors, generated, said)
                emit(lambda: Progressed(name, meter.wall_s, *counts))

            summary: Summary = {}
            try:
                stopped = await batch(
                    problems,
                    self._solve,
                    log or memory,
                    _key,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._work.in_flight,
                )
            finally:
                grading = {"resumed": kept, "grading": {**self._work.counts()}}
                summary.update({**summarize(tally, meter, extra), **grading, **self._work.account()})
                if self._folder is not None and log is not None:
                    log.sort()
                    with writing(self._folder):
                        write_whole(self._folder / "summary.json", json.dumps(summary, indent=2) + "\n")
        return Outcome(tally, summary, stopped, tuple(memory.records))

    async def _solve(self, problem: Problem) -> Record:
        result = await self._work.do(problem)
        if self._folder is not None and result.tree is not None:
            with writing(self._folder):
                tree_path(self._folder / "trees", problem.id).write_text(result.tree, "utf-8")
        return result.record


def _key(problem: Problem) -> Hashable:
    return _content(problem.to_json())


def _content(row: Mapping[str, object]) -> str:
    """Returns what distinguishes the problems of rows."""
    return json.dumps([row.get(name) for name in ("id", "question", "answer", "messages", "attachments")])


def _kept_key(_: str, read: Record) -> Hashable | None:
    """Returns the key of an earlier run's record: it is valid for the problem with the same content.

    Records with an error, or cut short by a limit of the whole run, have none and are recreated.

    Raises:
        RecordError: It is none.
    """
    record = checked(read)
    if record["error"] is not None or any(limit.startswith("run.") for limit in record["limits_hit"]):
        return None
    return _content(record)


def charge_record(record: Record, meter: Scope) -> None:
    """Charges a run the cost of a problem from an earlier part of it."""
    for role, usage in record["usage"].items():
        meter.add(role, Usage(**usage).nonzero())
    meter.hit.update(record["limits_hit"])
