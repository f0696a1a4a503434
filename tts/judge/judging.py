"""The state of a judge run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tts.judge.judged import Judged
from tts.judge.record import VerdictRow, judged
from tts.runtime.batch import Ended
from tts.tasks.labelled import LabelledSolution


@dataclass
class Judging:
    """The results of a run so far.

    Attributes:
        items: The task's solutions.
        records: Their records, by number in `items`; those not reached by the run are missing.
        resumed: Number of them from an earlier run.
        generated_tokens: Completion tokens that this run sampled itself.
        n_errors: Number of solutions that ended with an error.
        n_steps: Number of steps that this run has judged.
    """

    items: Sequence[LabelledSolution]
    records: dict[int, VerdictRow] = field(default_factory=dict)
    resumed: int = 0
    generated_tokens: int = 0
    n_errors: int = 0
    n_steps: int = 0

    def add(self, ended: Ended[VerdictRow]) -> None:
        """Adds a record."""
        row = ended.record
        self.records[ended.number] = row
        if ended.kept:
            self.resumed += 1
            return
        self.n_errors += row["error"] is not None
        self.n_steps += len(row["scores"])

    @property
    def n_problems(self) -> int:
        """Number of solutions with a record."""
        return len(self.records)

    def by_subset(self) -> dict[str, list[Judged]]:
        """Returns the solutions with their scores; those that ended with an error are left out."""
        parts: dict[str, list[Judged]] = {item.subset: [] for item in self.items}
        for number, row in sorted(self.records.items()):
            if row["error"] is None:
                parts[self.items[number].subset].append(judged(self.items[number], row))
        return parts
