"""The summary of a synthesis run: the contents of `summary.json`, from the records one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tts.budget import Scope
from tts.core.json import JsonObject, Summary
from tts.evaluation.costs import Costs
from tts.synthesize.record import RationaleRow

_VERDICTS: Final = {True: "right", False: "wrong", None: "open"}


@dataclass
class Tally:
    """The sums over the records.

    Attributes:
        rationales: Number of records.
        errors: Those that ended with an error.
        dropped: Rationales of no use, by reason.
        verdicts: The others, by what they say of the solution or the step.
        first_errors: Those that judge every step, by the index of the first step that they find wrong, -1 for none.
        tokens: Tokens of the rationales of use.
        costs: What they cost.
        failures: The first errors: the id and the message.
    """

    rationales: int = 0
    errors: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    first_errors: Counter[int] = field(default_factory=Counter)
    tokens: int = 0
    costs: Costs = field(default_factory=Costs)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: RationaleRow) -> None:
        """Adds a record."""
        self.rationales += 1
        self.costs.add(row["usage"], row["limits_hit"])
        if row["error"] is not None:
            self.errors += 1
            self.failures = [*self.failures, (row["id"], row["error"])][:3]
        elif row["dropped"] is not None:
            self.dropped[row["dropped"]] += 1
        else:
            self.verdicts[_VERDICTS[row["verdict"]]] += 1
            self.tokens += row["tokens"]
            if row["index"] is not None:
                self.first_errors[row["index"]] += 1

    @property
    def of_use(self) -> int:
        """Number of rationales of use."""
        return self.verdicts.total()


def summarize(tally: Tally, meter: Scope, resumed: int, extra: JsonObject) -> Summary:
    """Returns the contents of `summary.json`.

    Args:
        tally: The sums over the records.
        meter: The scope of the run.
        resumed: Number of records of an earlier run.
        extra: Additional entries.
    """
    return {
        "n_rationales": tally.rationales,
        "n_errors": tally.errors,
        "resumed": resumed,
        "of_use": tally.of_use,
        "yield": tally.of_use / tally.rationales if tally.rationales else None,
        "dropped": dict(sorted(tally.dropped.items())),
        "verdicts": {name: tally.verdicts[name] for name in _VERDICTS.values()},
        "first_errors": {str(index): number for index, number in sorted(tally.first_errors.items())},
        "mean_tokens": tally.tokens / tally.of_use if tally.of_use else None,
        **tally.costs.entries(meter),
        **extra,
    }
