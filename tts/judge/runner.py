"""Judges many labelled solutions concurrently, skipping those with a record."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from tts.budget import VERIFIER, Budget, Scope, Usage, charge, scope
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.files.jsonl_log import JsonlLog
from tts.files.objects import read_object
from tts.files.writing import write_whole, writing
from tts.judge.judging import Judging
from tts.judge.record import Resume, VerdictRow, record
from tts.judge.summary import finished, summarize
from tts.judge.threshold import Threshold
from tts.runtime.batch import Ended, batch
from tts.runtime.executor import Work
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution


class Judge:
    """Judges labelled solutions, and writes a line to `results.jsonl` as each ends.

    Args:
        work: Judges one solution.
        folder: The run directory.
        budget: The limits of each solution and of the run.
    """

    def __init__(self, work: Work[LabelledSolution, VerdictRow], folder: Path, budget: Budget) -> None:
        self._work = work
        self._folder = folder
        self._budget = budget

    async def run(
        self,
        items: Sequence[LabelledSolution],
        threshold: Threshold,
        bootstrap: Bootstrap,
        shaping: str,
        extra: JsonObject,
    ) -> tuple[Judging, Summary]:
        """Judges the solutions without a record.

        However it ends, the records are kept, summarised, and sorted into the task's order.

        Args:
            items: The solutions.
            threshold: Interprets scores.
            bootstrap: Computes confidence intervals.
            shaping: The `verdicts_hash` of the configuration.
            extra: Additional entries of the summary.

        Raises:
            UserError: The existing records have another configuration, or the verifier cannot be started; or the first
                solutions all failed in the same way.
            RunError: The disk is full, or something else that every solution needs is gone.
        """
        summary_path = self._folder / "summary.json"
        before: Summary = read_object(summary_path)
        resume = Resume(items, shaping)
        judging, summary = Judging(items), Summary()
        found: JsonObject = {}

        async def judge(item: LabelledSolution) -> VerdictRow:
            return {**await self._work.do(item), "key": resume.key(item.problem.id)}

        def failed(item: LabelledSolution, message: str, meter: Scope) -> VerdictRow:
            row = record(item, None, meter, resume.key(item.problem.id), time.time() - meter.wall_s)
            return {**row, "error": message}

        def on_record(ended: Ended[VerdictRow]) -> None:
            if ended.kept:
                ended = Ended(ended.number, resume.labelled(items[ended.number], ended.record), kept=True)
                charge(VERIFIER, Usage(**ended.record["usage"]))
            judging.add(ended)
            tokens = run.usage[VERIFIER].generated_tokens
            steps = f"{judging.n_steps:,} steps{self._work.standing()}"
            name, counts = ended.record["id"], (judging.n_problems, judging.n_errors, tokens, steps)
            emit(lambda: Progressed(name, run.wall_s, *counts))

        log = JsonlLog[VerdictRow](self._folder / "results.jsonl", resume.known_by)
        with log, scope("run", self._budget.run) as run:
            try:
                if not resume.complete:
                    found = await self._work.start()
                judging.stopped = await batch(
                    items,
                    judge,
                    log,
                    lambda item: item.problem.id,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._work.in_flight,
                )
            finally:
                judging.generated_tokens = run.usage[VERIFIER].generated_tokens
                # Nothing is started if nothing is left to judge.
                sandbox = found.get("sandbox") or list(before.get("sandbox", ()))
                started: JsonObject = {**found, "sandbox": sandbox}
                more = {"sandbox": sandbox, **extra, **started, **self._work.account()}
                summary.update(summarize(judging, threshold, bootstrap, more))
                final = finished(judging, threshold, summary["threshold"]["value"])
                rows = dict(zip(sorted(judging.records), final, strict=True))
                log.sort(lambda number, _: rows[number])
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return judging, summary
