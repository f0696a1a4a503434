"""Labels many problems concurrently, skipping those with a record; then derives the labels of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tts.budget import Budget, Scope, Usage
from tts.core import Problem
from tts.core.json import JsonObject, Summary
from tts.files.jsonl_log import JsonlLog
from tts.files.writing import replaced, writing
from tts.label.labels import labelled, line, rows
from tts.label.record import ProblemRow, empty
from tts.label.rules import Labelled, Rule
from tts.label.summary import Tally, summarize
from tts.runtime.batch import Ended
from tts.runtime.executor import Work
from tts.runtime.keyed_run import KeyedRun


class Labelling(KeyedRun[Problem, ProblemRow]):
    """Labels the solutions of many problems; writes `results.jsonl`, `labels.jsonl` and `summary.json`.

    Args:
        work: Gathers the evidence on one problem.
        rule: Derives the labels from it.
        folder: The run directory.
        budget: The limits of each problem and of the run.

    Attributes:
        tally: The counts, of all records and their labels once the run has ended.
        failures: The first errors: the problem's id and the message.
    """

    def __init__(self, work: Work[Problem, ProblemRow], rule: Rule, folder: Path, budget: Budget) -> None:
        super().__init__(work, folder, budget)
        self.tally = Tally()
        self.failures: list[tuple[str, str]] = []
        self._rule = rule
        self._solutions = 0

    def name(self, item: Problem) -> str:
        """Returns the problem's id."""
        return item.id

    def failed(self, item: Problem, message: str, meter: Scope) -> ProblemRow:
        """Returns a record without evidence."""
        return empty(item, meter, "", error=message)

    def usage(self, row: ProblemRow) -> Mapping[str, Usage]:
        """Returns the cost of a problem."""
        return {role: Usage(**spent) for role, spent in row["usage"].items()}

    def add(self, ended: Ended[ProblemRow]) -> str:
        """Counts the solutions."""
        row = ended.record
        self._solutions += len(row["solutions"])
        if row["error"] is not None:
            self.failures = [*self.failures, (row["id"], row["error"])][:3]
        return f"{self._solutions:,} solutions"

    def conclude(self, log: JsonlLog[ProblemRow], meter: Scope, extra: JsonObject) -> Summary:
        """Derives the labels of all finished problems anew."""
        log.sort()
        derive(self.folder, self._rule, self.tally)
        grading: JsonObject = {"grading": {**self.work.counts()}}
        return summarize(self.tally, meter, self.resumed, {**extra, **grading})


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
