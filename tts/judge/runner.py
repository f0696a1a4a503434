"""Judges many labelled solutions concurrently, skipping those with a record."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tts.budget import VERIFIER, Budget, Scope, Usage, charge, current, scope
from tts.core import Verdict
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
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution

Ask = Callable[[LabelledSolution], Awaitable[Verdict]]
Start = Callable[[], Awaitable[tuple[str, ...]]]
"""Starts everything that the verifier needs, and returns the sandbox's layers."""


class Judge:
    """Judges labelled solutions, and writes a line to `results.jsonl` as each ends.

    Args:
        ask: Judges one solution.
        folder: The run directory.
        in_flight: Number of solutions judged concurrently.
        budget: The limits of each solution and of the run.
    """

    def __init__(self, ask: Ask, folder: Path, in_flight: int, budget: Budget) -> None:
        self._ask = ask
        self._folder = folder
        self._in_flight = in_flight
        self._budget = budget

    async def run(
        self,
        items: Sequence[LabelledSolution],
        start: Start,
        threshold: Threshold,
        bootstrap: Bootstrap,
        shaping: str,
        extra: JsonObject,
    ) -> tuple[Judging, Summary]:
        """Judges the solutions without a record.

        However it ends, the records are kept, summarised, and sorted into the task's order.

        Args:
            items: The solutions.
            start: Starts everything that the verifier needs; called only if something is left to judge.
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
        layers: tuple[str, ...] = ()

        async def judge(item: LabelledSolution) -> VerdictRow:
            started = time.time()
            return record(item, await self._ask(item), current(), resume.key(item.problem.id), started)

        def failed(item: LabelledSolution, message: str, meter: Scope) -> VerdictRow:
            row = record(item, None, meter, resume.key(item.problem.id), time.time() - meter.wall_s)
            return {**row, "error": message}

        def on_record(ended: Ended[VerdictRow]) -> None:
            if ended.kept:
                ended = Ended(ended.number, resume.labelled(items[ended.number], ended.record), kept=True)
                charge(VERIFIER, Usage(**ended.record["usage"]))
            judging.add(ended)
            tokens = run.usage[VERIFIER].generated_tokens
            steps = f"{judging.n_steps:,} steps"
            name, counts = ended.record["id"], (judging.n_problems, judging.n_errors, tokens, steps)
            emit(lambda: Progressed(name, run.wall_s, *counts))

        log = JsonlLog[VerdictRow](self._folder / "results.jsonl", resume.known_by)
        with log, scope("run", self._budget.run) as run:
            try:
                if not resume.complete:
                    layers = await start()
                judging.stopped = await batch(
                    items,
                    judge,
                    log,
                    lambda item: item.problem.id,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._in_flight,
                )
            finally:
                judging.generated_tokens = run.usage[VERIFIER].generated_tokens
                # The sandbox is not started if nothing is left to judge.
                sandbox = list(layers or before.get("sandbox", ()))
                summary.update(summarize(judging, threshold, bootstrap, {"sandbox": sandbox, **extra}))
                final = finished(judging, threshold, summary["threshold"]["value"])
                rows = dict(zip(sorted(judging.records), final, strict=True))
                log.sort(lambda number, _: rows[number])
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return judging, summary
