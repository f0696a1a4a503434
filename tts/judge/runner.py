"""Judges many labelled solutions concurrently, skipping those with a record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tts.budget import VERIFIER, Budget, Scope, Usage
from tts.core.json import JsonObject, Summary
from tts.files.jsonl_log import JsonlLog
from tts.judge.judging import Judging
from tts.judge.record import VerdictRow, labelled, record
from tts.judge.summary import finished, summarize
from tts.judge.threshold import Threshold
from tts.runtime.batch import Ended
from tts.runtime.executor import Work
from tts.runtime.keyed_run import KeyedRun
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution


class Judge(KeyedRun[LabelledSolution, VerdictRow]):
    """Judges labelled solutions; writes `results.jsonl` and `summary.json`.

    The records have the labels that the task has now, and the predictions of this threshold.

    Args:
        work: Judges one solution.
        items: The solutions.
        threshold: Interprets scores.
        bootstrap: Computes confidence intervals.
        folder: The run directory.
        budget: The limits of each solution and of the run.

    Attributes:
        judging: The results so far.
    """

    idle: ClassVar[Mapping[str, object]] = {"sandbox": [], "engines": {}}

    def __init__(
        self,
        work: Work[LabelledSolution, VerdictRow],
        items: Sequence[LabelledSolution],
        threshold: Threshold,
        bootstrap: Bootstrap,
        folder: Path,
        budget: Budget,
    ) -> None:
        super().__init__(work, folder, budget)
        self.judging = Judging(items)
        self._threshold, self._bootstrap = threshold, bootstrap

    def name(self, item: LabelledSolution) -> str:
        """Returns the solution's id."""
        return item.problem.id

    def failed(self, item: LabelledSolution, message: str, meter: Scope) -> VerdictRow:
        """Returns a record without a verdict."""
        return {**record(item, None, meter, "", time.time() - meter.wall_s), "error": message}

    def usage(self, row: VerdictRow) -> Mapping[str, Usage]:
        """Returns the verifier's."""
        return {VERIFIER: Usage(**row["usage"])}

    def add(self, ended: Ended[VerdictRow]) -> str:
        """Counts the steps that this run has judged."""
        row = labelled(self.judging.items[ended.number], ended.record) if ended.kept else ended.record
        self.judging.add(Ended(ended.number, row, ended.kept))
        return f"{self.judging.n_steps:,} steps"

    def conclude(self, log: JsonlLog[VerdictRow], meter: Scope, extra: JsonObject) -> Summary:
        """Chooses the threshold, and derives the predictions of all judged solutions."""
        self.judging.generated_tokens = meter.usage[VERIFIER].generated_tokens
        summary = summarize(self.judging, self._threshold, self._bootstrap, extra)
        final = finished(self.judging, self._threshold, summary["threshold"]["value"])
        rows = dict(zip(sorted(self.judging.records), final, strict=True))
        log.sort(lambda number, _: rows[number])
        return summary
