"""What a run of the judge has come to so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tts.judge.judged import Judged
from tts.judge.record import VerdictRow, judged
from tts.runtime.batch import Ended
from tts.tasks.labelled import LabelledSolution


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
    records: dict[int, VerdictRow] = field(default_factory=dict)
    resumed: int = 0
    stopped: str | None = None
    generated_tokens: int = 0
    n_errors: int = 0
    n_steps: int = 0

    def add(self, ended: Ended[VerdictRow]) -> None:
        """Takes a record in."""
        row = ended.record
        self.records[ended.number] = row
        if ended.kept:
            self.resumed += 1
            return
        self.n_errors += row["error"] is not None
        self.n_steps += len(row["scores"])

    @property
    def n_problems(self) -> int:
        """How many solutions have a record."""
        return len(self.records)

    def by_subset(self) -> dict[str, list[Judged]]:
        """Returns the solutions beside their scores; those that ended with an error have no part in any figure."""
        parts: dict[str, list[Judged]] = {item.subset: [] for item in self.items}
        for number, row in sorted(self.records.items()):
            if row["error"] is None:
                parts[self.items[number].subset].append(judged(self.items[number], row))
        return parts
