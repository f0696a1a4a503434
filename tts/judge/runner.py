"""Has many labelled solutions judged at once; what is there already is not judged again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Scope, Usage, charge, scope
from tts.cli.progress import ProgressBar
from tts.core import Verdict
from tts.evaluation.record import Record
from tts.evaluation.runner import recorded, work_through
from tts.files.jsonl_log import JsonlLog
from tts.files.writing import writing
from tts.judge.judged import Judged
from tts.judge.record import Resume, judged, record
from tts.tasks.labelled import LabelledSolution

Ask = Callable[[LabelledSolution], Awaitable[Verdict]]


@dataclass
class Judging:
    """What a run came to.

    Attributes:
        items: The task's solutions.
        records: Their records, by number in `items`; those that the run did not come to are missing.
        resumed: How many of them an earlier run left.
        stopped: The limit of the run that kept it from the missing ones.
        generated_tokens: Completion tokens that this run sampled itself.
        n_errors: How many solutions ended with an error.
        n_steps: How many steps this run has judged.
    """

    items: Sequence[LabelledSolution]
    records: dict[int, Record]
    resumed: int
    stopped: str | None = None
    generated_tokens: int = 0
    n_errors: int = 0
    n_steps: int = 0

    def add(self, number: int, row: Record) -> None:
        """Takes a record in."""
        self.records[number] = row
        self.n_errors += row["error"] is not None
        self.n_steps += len(row["scores"])

    @property
    def n_problems(self) -> int:
        """How many solutions have a record."""
        return len(self.records)

    @property
    def headline(self) -> str:
        """How many steps are judged so far."""
        return f"{self.n_steps:,} steps"

    def by_subset(self) -> dict[str, list[Judged]]:
        """Returns the solutions beside their scores; those that ended with an error have no part in any figure."""
        parts: dict[str, list[Judged]] = {item.subset: [] for item in self.items}
        for number, row in sorted(self.records.items()):
            if row["error"] is None:
                parts[self.items[number].subset].append(judged(self.items[number], row))
        return parts


class Judge:
    """Has labelled solutions judged, each with a line in `results.jsonl` as it ends.

    Args:
        ask: Has one judged.
        folder: The run directory.
        in_flight: How many at once.
        budget: What a solution and the run may spend.
        configuration: The `verdicts_hash` of the configuration.
    """

    def __init__(self, ask: Ask, folder: Path, in_flight: int, budget: Budget, configuration: str) -> None:
        self._ask = ask
        self._path = folder / "results.jsonl"
        self._in_flight = in_flight
        self._budget = budget
        self._configuration = configuration

    async def run(
        self,
        items: Sequence[LabelledSolution],
        running: AbstractAsyncContextManager[None],
        finish: Callable[[Judging], Sequence[Record]],
        progress: ProgressBar,
    ) -> Judging:
        """Has those judged that have no record yet.

        However it ends, what was judged is kept, summed up, and put into the task's order.

        Args:
            items: The solutions.
            running: Starts what the verifier needs; entered only where something is left to judge.
            finish: Sums up, and returns the records as they are to be kept, in order.
            progress: Is told after every solution.

        Raises:
            UserError: The records that are there were made otherwise, or the verifier cannot be started.
            RunError: The disk is full, or something else is gone that every solution needs.
        """
        resume = Resume(items, self._configuration)
        with JsonlLog(self._path, resume.take) as lines, scope("run", self._budget.run) as meter:
            judging = Judging(items, resume.records, len(resume.records))
            for row in resume.records.values():
                charge("verifier", Usage(**row["usage"]))
            missing = [(number, item) for number, item in enumerate(items) if number not in judging.records]

            async def work(number: int, item: LabelledSolution) -> None:
                row = await self._judge(number, item, resume.key(number))
                judging.add(number, row)
                with writing(self._path.parent):
                    lines.append(number, json.dumps(row, ensure_ascii=False))
                progress.update(judging, meter)
                await asyncio.sleep(0)  # a verifier that never waits must not keep an interruption from being seen

            try:
                async with running if missing else contextlib.nullcontext():
                    await work_through(iter(missing), work, self._in_flight, meter)
            finally:
                judging.generated_tokens = meter.usage["verifier"].generated_tokens
                judging.stopped = meter.reached() if len(judging.records) < len(items) else None
                with writing(self._path.parent):
                    rows = dict(zip(sorted(judging.records), finish(judging), strict=True))
                    lines.sort(lambda number, _: json.dumps(rows[number], ensure_ascii=False).encode() + b"\n")
        return judging

    async def _judge(self, number: int, item: LabelledSolution, key: str) -> Record:
        started = time.time()

        async def ask(meter: Scope) -> Record:
            return record(item, await self._ask(item), meter, key, started)

        with scope("problem", self._budget.problem, number) as meter:
            return await recorded(
                ask(meter),
                item.problem.id,
                lambda message: {**record(item, None, meter, key, started), "error": message},
            )
