"""Has many rationales written concurrently, skipping those with a record."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tts.budget import Budget, LimitReached, Scope, Usage, charge, current, scope
from tts.core.events import Progressed, emit
from tts.core.json import JsonObject, Summary
from tts.core.rationale import Rationale
from tts.files.jsonl_log import JsonlLog
from tts.files.writing import write_whole, writing
from tts.runtime.batch import Ended, batch
from tts.synthesize.items import Item
from tts.synthesize.patience import Patience
from tts.synthesize.record import RationaleRow, Resume, label_columns, record
from tts.synthesize.repetition import repetition
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
        write: Writes one.
        folder: The run directory.
        in_flight: Number of rationales in progress concurrently.
        budget: The limits of each rationale and of the run.
        most_repetition: The highest repetition of an assistant's turn that is no loop.
    """

    def __init__(
        self,
        write: Callable[[Item], Awaitable[Rationale]],
        folder: Path,
        in_flight: int,
        budget: Budget,
        most_repetition: float,
    ) -> None:
        self._write, self._folder, self._in_flight, self._budget = write, folder, in_flight, budget
        self._most_repetition = most_repetition

    async def run(
        self,
        items: Sequence[Item],
        start: Callable[[], Awaitable[None]],
        resume: Resume,
        extra: Callable[[], JsonObject],
    ) -> Synthesis:
        """Has the rationales without a record written.

        However it ends, the records are kept, with the labels that the task has now, in the task's order.

        Args:
            items: The items.
            start: Starts what the writer needs; called only if an item is left.
            resume: Which records of an earlier run are valid.
            extra: Returns additional entries of the summary.

        Raises:
            UserError: The existing records have another configuration, or a model cannot be started; or the first items
                all failed in the same way.
            RunError: The writer does not follow its format, the disk is full, or something else that every item needs is
                gone.
        """
        summary_path = self._folder / "summary.json"
        before: Summary = json.loads(summary_path.read_text("utf-8")) if summary_path.is_file() else {}
        # They are not started if nothing is left to write.
        engines: JsonObject = {"engines": before.get("engines", {})}
        kept = 0
        stopped: str | None = None
        summary: Summary = {}
        tally, patience = Tally(), Patience()

        async def work(item: Item) -> RationaleRow:
            try:
                rationale = self._checked(await self._write(item))
            except LimitReached:
                rationale = Rationale((), dropped="limit")
            return record(item, rationale, current(), resume.key(item.id))

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
            said = f"{tally.of_use:,} of use"
            emit(lambda: Progressed(row["id"], meter.wall_s, tally.rationales, tally.errors, tokens, said))
            if row["error"] is None:
                patience.ended(row["dropped"])

        def relabelled(number: int, row: RationaleRow) -> RationaleRow:
            return {**row, **label_columns(items[number])}

        log = JsonlLog[RationaleRow](self._folder / FILE, resume.known_by)
        with log, scope("run", self._budget.run) as meter:
            try:
                if not resume.complete:
                    await start()
                stopped = await batch(
                    items,
                    work,
                    log,
                    lambda item: item.id,
                    failed=failed,
                    on_record=on_record,
                    limits=self._budget.problem,
                    in_flight=self._in_flight,
                    name="rationale",
                )
            finally:
                log.sort(relabelled)
                summary.update(summarize(tally, meter, kept, {**engines, **extra()}))
                with writing(self._folder):
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
        return Synthesis(tally, summary, stopped)

    def _checked(self, rationale: Rationale) -> Rationale:
        """Returns a rationale, dropped if it loops."""
        turns = (message["content"] for message in rationale.messages if message["role"] == "assistant")
        loops = any(repetition(turn) > self._most_repetition for turn in turns)
        # Said of those as well that are of no use for what follows from it.
        return replace(rationale, dropped="loop") if loops else rationale
