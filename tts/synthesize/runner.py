"""Has many rationales written concurrently, skipping those with a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Scope, Usage, charge, scope
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.core.rationale import Rationale
from tts.files.jsonl_log import JsonlLog
from tts.files.objects import read_object
from tts.files.writing import write_whole, writing
from tts.runtime.batch import Ended, batch
from tts.runtime.executor import Work
from tts.synthesize.items import Item
from tts.synthesize.patience import Patience
from tts.synthesize.record import RationaleRow, Resume, label_columns, record
from tts.synthesize.summary import Tally, summarize

FILE = "rationales.jsonl"


@dataclass(frozen=True)
class Synthesis:
    """The outcome of a run.

    Attributes:
        tally: The counts.
        summary: The contents of `summary.json`.
        stopped: The limit of the run because of which items were left out; None if none were.
    """

    tally: Tally
    summary: Summary
    stopped: str | None


class Runner:
    """Has rationales written; writes `rationales.jsonl` and `summary.json`.

    Args:
        work: Has one written.
        folder: The run directory.
        budget: The limits of each rationale and of the run.
    """

    def __init__(self, work: Work[Item, RationaleRow], folder: Path, budget: Budget) -> None:
        self._work, self._folder, self._budget = work, folder, budget

    async def run(self, items: Sequence[Item], resume: Resume, extra: JsonObject) -> Synthesis:
        """Has the rationales without a record written.

        However it ends, the records are kept, with the labels that the task has now, in the task's order.

        Args:
            items: The items.
            resume: Which records of an earlier run are valid.
            extra: Additional entries of the summary.

        Raises:
            UserError: The existing records have another configuration, or a model cannot be started; or the first items
                all failed in the same way.
            RunError: The writer does not follow its format, the disk is full, or something else that every item needs is
                gone.
        """
        summary_path = self._folder / "summary.json"
        before: Summary = read_object(summary_path)
        # They are not started if nothing is left to write.
        engines: JsonObject = {"engines": before.get("engines", {})}
        kept = 0
        stopped: str | None = None
        summary: Summary = {}
        tally, patience = Tally(), Patience()

        async def work(item: Item) -> RationaleRow:
            return {**await self._work.do(item), "key": resume.key(item.id)}

        def failed(item: Item, message: str, meter: Scope) -> RationaleRow:
            return record(item, Rationale(()), meter, resume.key(item.id), error=message)

        def on_record(ended: Ended[RationaleRow]) -> None:
            nonlocal kept
            row = ended.record
            tally.add(row)
            if ended.kept:
                kept += 1
                for role, usage in row["usage"].items():
                    charge(role, Usage(**usage))
            tokens = sum(usage.generated_tokens for usage in meter.usage.values())
            said = f"{tally.of_use:,} of use{self._work.standing()}"
            emit(lambda: Progressed(row["id"], meter.wall_s, tally.rationales, tally.errors, tokens, said))
            if row["error"] is None:
                patience.ended(row["dropped"])

        def relabelled(number: int, row: RationaleRow) -> RationaleRow:
            return {**row, **label_columns(items[number])}

        log = JsonlLog[RationaleRow](self._folder / FILE, resume.known_by)
        with log, scope("run", self._budget.run) as meter:
            try:
                if not resume.complete:
                    engines = await self._work.start()
                stopped = await batch(
                    items,
                    work,
                    log,
                    lambda item: item.id,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._work.in_flight,
                    name="rationale",
                )
            finally:
                log.sort(relabelled)
                summary.update(summarize(tally, meter, kept, {**engines, **extra, **self._work.account()}))
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return Synthesis(tally, summary, stopped)
