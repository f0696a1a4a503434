"""Labels many problems concurrently, skipping those with a record; then derives the labels of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Scope, Usage, charge, scope
from tts.core import Problem
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.files.jsonl_log import JsonlLog
from tts.files.objects import read_object
from tts.files.writing import replaced, write_whole, writing
from tts.label.labels import labelled, line, rows
from tts.label.record import ProblemRow, Resume, empty
from tts.label.rules import Labelled, Rule
from tts.label.summary import Tally, summarize
from tts.runtime.batch import Ended, batch
from tts.runtime.executor import Work


@dataclass(frozen=True)
class Labelling:
    """The outcome of a run.

    Attributes:
        tally: The counts.
        summary: The contents of `summary.json`.
        stopped: The limit of the run because of which problems were left out; None if none were.
        errors: The first errors: the problem's id and the message.
    """

    tally: Tally
    summary: Summary
    stopped: str | None
    errors: tuple[tuple[str, str], ...]


class Runner:
    """Labels the solutions of many problems; writes `results.jsonl`, `labels.jsonl` and `summary.json`.

    Args:
        work: Gathers the evidence on one problem.
        rule: Derives the labels from it.
        folder: The run directory.
        budget: The limits of each problem and of the run.
    """

    def __init__(self, work: Work[Problem, ProblemRow], rule: Rule, folder: Path, budget: Budget) -> None:
        self._work, self._rule, self._folder, self._budget = work, rule, folder, budget

    async def run(self, problems: Sequence[Problem], resume: Resume, extra: JsonObject) -> Labelling:
        """Labels the problems without a record, and derives all labels anew.

        However it ends, the records are kept, and the labels are those of all finished problems, in the task's order.

        Args:
            problems: The problems.
            resume: Which records of an earlier run are valid.
            extra: Additional entries of the summary.

        Raises:
            UserError: The existing records have another configuration, or a model cannot be started; or the first
                problems all failed in the same way.
            RunError: The disk is full, or something else that every problem needs is gone.
        """
        summary_path = self._folder / "summary.json"
        before: Summary = read_object(summary_path)
        # They are not started if nothing is left to sample.
        engines: JsonObject = {"engines": before.get("engines", {})}
        done = kept = errors = solutions = 0
        failures: list[tuple[str, str]] = []
        stopped: str | None = None
        summary: Summary = {}
        tally = Tally()

        async def work(problem: Problem) -> ProblemRow:
            return {**await self._work.do(problem), "key": resume.key(problem.id)}

        def failed(problem: Problem, message: str, meter: Scope) -> ProblemRow:
            return empty(problem, meter, resume.key(problem.id), error=message)

        def on_record(ended: Ended[ProblemRow]) -> None:
            nonlocal done, kept, errors, solutions
            row = ended.record
            solutions += len(row["solutions"])
            done, kept, errors = done + 1, kept + ended.kept, errors + (row["error"] is not None)
            if row["error"] is not None:
                failures.append((row["id"], row["error"]))
            if ended.kept:
                for role, usage in row["usage"].items():
                    charge(role, Usage(**usage))
            tokens = sum(usage.generated_tokens for usage in meter.usage.values())
            said = f"{solutions:,} solutions{self._work.standing()}"
            emit(lambda: Progressed(row["id"], meter.wall_s, done, errors, tokens, said))

        log = JsonlLog[ProblemRow](self._folder / "results.jsonl", resume.known_by)
        with log, scope("run", self._budget.run) as meter:
            try:
                if not resume.complete:
                    engines = await self._work.start()
                stopped = await batch(
                    problems,
                    work,
                    log,
                    lambda problem: problem.id,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._work.in_flight,
                )
            finally:
                log.sort()
                derive(self._folder, self._rule, tally)
                grading: JsonObject = {"grading": {**self._work.counts()}}
                more = {**engines, **extra, **grading, **self._work.account()}
                summary.update(summarize(tally, meter, kept, more))
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return Labelling(tally, summary, stopped, tuple(failures[:3]))


def derive(folder: Path, rule: Rule, tally: Tally) -> None:
    """Writes `labels.jsonl` from `results.jsonl`, record by record.

    Args:
        folder: The run directory.
        rule: Derives the labels.
        tally: Receives the records with their labels.

    Raises:
        RunError: It cannot be written.
    """
    with writing(folder), replaced(folder / "labels.jsonl") as part, part.open("w", encoding="utf-8") as file:
        for row in rows(folder / "results.jsonl"):
            pairs = list(labelled(row, rule))
            tally.add(row, [labels for _, labels in pairs])
            file.writelines(line(row, solution, one) for solution, one in pairs if isinstance(one, Labelled))
