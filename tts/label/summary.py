"""The summary of a labelling run: the contents of `summary.json`, from the records one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tts.budget import Scope
from tts.core.json import JsonObject, Summary
from tts.evaluation.costs import Costs
from tts.label.record import ProblemRow
from tts.label.rules import Labelled

_STEPS: Final = {True: "right", False: "wrong", None: "unlabelled"}


@dataclass
class Tally:
    """The sums over the records.

    Attributes:
        problems: Number of records.
        errors: Those that ended with an error.
        skipped: Those without solutions to label, by reason.
        samples: The policy's samples: `right`, `wrong`, `invalid`.
        pass_at_1: Sum of the shares of right samples, and number of problems with samples.
        solutions: Kept solutions, and right ones among them.
        stepped: Kept solutions of more than one step.
        dropped: Solutions that the rule gave no labels, by reason.
        first_errors: Number of labelled solutions by the index of their first wrong step, -1 for none.
        steps: Number of steps by label.
        costs: What they cost.
    """

    problems: int = 0
    errors: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    pass_at_1: tuple[float, int] = (0.0, 0)
    solutions: Counter[str] = field(default_factory=Counter)
    stepped: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    first_errors: Counter[int] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    costs: Costs = field(default_factory=Costs)

    def add(self, row: ProblemRow, labels: Sequence[Labelled | str]) -> None:
        """Adds a problem and the labels of its solutions, or why they have none."""
        self.problems += 1
        self.errors += row["error"] is not None
        if row["skipped"] is not None:
            self.skipped[row["skipped"]] += 1
        self.samples.update(row["samples"])
        if total := sum(row["samples"].values()):
            share, number = self.pass_at_1
            self.pass_at_1 = share + row["samples"]["right"] / total, number + 1
        self.solutions["all"] += len(row["solutions"])
        self.solutions["right"] += sum(solution["correct"] is True for solution in row["solutions"])
        self.stepped += sum(len(solution["steps"]) > 1 for solution in row["solutions"])
        for one in labels:
            if isinstance(one, str):
                self.dropped[one] += 1
                continue
            self.first_errors[one.first_error] += 1
            self.steps.update(_STEPS[label] for label in one.labels)
        self.costs.add(row["usage"], row["limits_hit"])

    @property
    def labelled(self) -> int:
        """Number of solutions with labels."""
        return self.first_errors.total()


def summarize(tally: Tally, meter: Scope, resumed: int, extra: JsonObject) -> Summary:
    """Returns the contents of `summary.json`.

    Args:
        tally: The sums over the records.
        meter: The scope of the run.
        resumed: Number of records of an earlier run.
        extra: Additional entries.
    """
    share, problems = tally.pass_at_1
    return {
        "n_problems": tally.problems,
        "n_errors": tally.errors,
        "resumed": resumed,
        "skipped": dict(sorted(tally.skipped.items())),
        "pass_at_1": share / problems if problems else None,
        "samples": dict(tally.samples),
        "solutions": tally.solutions["all"],
        "solutions_right": tally.solutions["right"],
        "labelled": tally.labelled,
        "dropped": dict(sorted(tally.dropped.items())),
        "steps": {name: tally.steps[name] for name in _STEPS.values()},
        "first_errors": {str(index): number for index, number in sorted(tally.first_errors.items())},
        "completions": tally.costs.usage.get("completer", Counter())["samples"],
        **tally.costs.entries(meter),
        **extra,
    }
