"""Has many labelled solutions judged at once; what is there already is not judged again."""

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
"""Starts what the verifier needs, and returns the sandbox's layers."""


class Judge:
    """Has labelled solutions judged, each with a line in `results.jsonl` as it ends.

    Args:
        ask: Has one judged.
        folder: The run directory.
        in_flight: How many at once.
        budget: What a solution and the run may spend.
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
        """Has those judged that have no record yet.

        However it ends, what was judged is kept, summed up, and put into the task's order.

        Args:
            items: The solutions.
            start: Starts what the verifier needs; called only where something is left to judge.
            threshold: Decides what scores mean.
            bootstrap: Of the figures.
            shaping: The `verdicts_hash` of the configuration.
            extra: What the summary holds besides.

        Raises:
            UserError: The records that are there were made otherwise, or the verifier cannot be started; or the first
                solutions all failed in the same way.
            RunError: The disk is full, or something else is gone that every solution needs.
        """
        summary_path = self._folder / "summary.json"
        before = json.loads(summary_path.read_text("utf-8")) if summary_path.is_file() else {}
        resume = Resume(items, shaping)
        judging, summary = Judging(items), Summary()
        layers: tuple[str, ...] = ()

        async def judge(item: LabelledSolution) -> VerdictRow:
            started = time.time()
            return record(item, await self._ask(item), current(), resume.content_key(item), started)

        def failed(item: LabelledSolution, message: str, meter: Scope) -> VerdictRow:
            row = record(item, None, meter, resume.content_key(item), time.time() - meter.wall_s)
            return {**row, "error": message}

        def told(ended: Ended[VerdictRow]) -> None:
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
                    on_record=told,
                    limits=self._budget.problem,
                    in_flight=self._in_flight,
                )
            finally:
                judging.generated_tokens = run.usage[VERIFIER].generated_tokens
                # The sandbox is not started where nothing is left to judge.
                sandbox = list(layers or before.get("sandbox", ()))
                summary.update(summarize(judging, threshold, bootstrap, {"sandbox": sandbox, **extra}))
                rows = dict(zip(sorted(judging.records), finished(judging, summary["threshold"]["value"]), strict=True))
                log.sort(lambda number, _: rows[number])
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return judging, summary
