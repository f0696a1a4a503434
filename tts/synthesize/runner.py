"""Has many rationales written concurrently, skipping those with a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tts.budget import Budget, Scope, Usage
from tts.core.json import JsonObject, Summary
from tts.core.rationale import Rationale
from tts.files.jsonl_log import JsonlLog
from tts.runtime.batch import Ended
from tts.runtime.executor import Work
from tts.runtime.keyed_run import KeyedRun
from tts.synthesize.items import Item
from tts.synthesize.patience import Patience
from tts.synthesize.record import RationaleRow, label_columns, record
from tts.synthesize.summary import Tally, summarize


class Synthesis(KeyedRun[Item, RationaleRow]):
    """Has rationales written; writes `rationales.jsonl` and `summary.json`.

    The records have the labels that the task has now. A writer that does not follow its format ends the run.

    Args:
        work: Has one written.
        items: What is written about.
        folder: The run directory.
        budget: The limits of each rationale and of the run.

    Attributes:
        tally: The counts.
    """

    file = "rationales.jsonl"
    item = "rationale"

    def __init__(self, work: Work[Item, RationaleRow], items: Sequence[Item], folder: Path, budget: Budget) -> None:
        super().__init__(work, folder, budget)
        self.tally = Tally()
        self._items = items
        self._patience = Patience()

    def name(self, item: Item) -> str:
        """Returns the item's id: the solution, the step, the sample."""
        return item.id

    def failed(self, item: Item, message: str, meter: Scope) -> RationaleRow:
        """Returns a record without a rationale."""
        return record(item, Rationale(()), meter, "", error=message)

    def usage(self, row: RationaleRow) -> Mapping[str, Usage]:
        """Returns the cost of a rationale."""
        return {role: Usage(**spent) for role, spent in row["usage"].items()}

    def add(self, ended: Ended[RationaleRow]) -> str:
        """Counts a rationale.

        Raises:
            RunError: The writer does not follow its format.
        """
        row = ended.record
        self.tally.add(row)
        if row["error"] is None:
            self._patience.ended(row["dropped"])
        return f"{self.tally.of_use:,} of use"

    def conclude(self, log: JsonlLog[RationaleRow], meter: Scope, extra: JsonObject) -> Summary:
        """Labels the records anew."""
        log.sort(lambda number, row: {**row, **label_columns(self._items[number])})
        return summarize(self.tally, meter, self.resumed, extra)
