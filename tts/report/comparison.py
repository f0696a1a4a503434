"""Runs over the same problems, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tts.report.budgets import Choice, choices, front, round_budgets, savings
from tts.report.pools import Floats
from tts.report.runs import UNITS, Run
from tts.report.statistics import Difference, Estimate, differences, means, rate, resamples

SHARES = ("0-20 %", "20-40 %", "40-60 %", "60-80 %", "80-100 %")
"""Bins of difficulty by the share of right ones among all runs' candidates."""

_CHOICES = ("tokens", "flops", "latency_s", "dollars")
"""Units in which the compute-optimal choice is shown: those a problem has by itself."""


@dataclass(frozen=True)
class Comparison:
    """Runs over the same problems.

    Attributes:
        runs: The runs, all in the order of `problems`.
        problems: (id, question) of each problem.
    """

    runs: tuple[Run, ...]
    problems: tuple[tuple[str, str], ...]

    @cached_property
    def outcomes(self) -> Floats:
        """(P, R) 1 or 0 for the strategies' choices; NaN where a problem failed or has no reference answer."""
        return np.stack([run.correct for run in self.runs], 1)

    @cached_property
    def weights(self) -> Floats:
        """The bootstrap's resamples of the problems, the same for all runs, so that differences are paired."""
        return resamples(len(self.problems))

    @cached_property
    def accuracies(self) -> list[Estimate]:
        """Each run's accuracy, with its Wilson interval."""
        return [rate(column) for column in self.outcomes.T]

    @cached_property
    def others(self) -> dict[str, list[Estimate]]:
        """What else each run's candidates give: `majority`, `pass_at_1` (bootstrap interval), `oracle`."""
        shares = np.stack([run.share for run in self.runs], 1)
        return {
            "majority": [rate(run.majority) for run in self.runs],
            "pass_at_1": means(shares, self.weights),
            "oracle": [rate(run.oracle) for run in self.runs],
        }

    def accuracy_errors_wrong(self, number: int) -> float:
        """Returns a run's accuracy with failed problems counted as wrong ones; NaN where nothing is graded."""
        run = self.runs[number]
        asked = run.failed | ~np.isnan(run.correct)
        return float(np.nansum(run.correct) / asked.sum()) if not np.isnan(run.correct).all() else np.nan

    @cached_property
    def differences(self) -> dict[tuple[int, int], Difference]:
        """By pair of runs, what the first is better by."""
        return differences(self.outcomes, self.weights)

    @cached_property
    def best(self) -> int | None:
        """The most accurate run, the one with the fewest tokens of equals; None where nothing is graded."""
        on_front = front(self.mean_costs("tokens"), [_nan(estimate.mean) for estimate in self.accuracies])
        return on_front[-1] if on_front else None

    @cached_property
    def units(self) -> list[str]:
        """The units in which any run has a cost."""
        return [unit for unit in UNITS if any(cost > 0 for cost in self.mean_costs(unit))]

    def mean_costs(self, unit: str) -> list[float]:
        """Returns each run's cost of a problem; NaN where it is not known."""
        if unit == "seconds":
            return [_nan(run.source.summary.get("wall_s")) / max(1, len(self.problems)) for run in self.runs]
        return [float(run.costs[unit].mean()) for run in self.runs]

    def front(self, unit: str) -> list[int]:
        """Returns the runs on the Pareto front of accuracy against a cost, cheapest first."""
        return front(self.mean_costs(unit), [_nan(estimate.mean) for estimate in self.accuracies])

    def savings(self, unit: str) -> list[float]:
        """Returns how many times less the cheapest run costs that is as accurate."""
        return savings(self.mean_costs(unit), [_nan(estimate.mean) for estimate in self.accuracies])

    @cached_property
    def bins(self) -> tuple[list[str], list[int]]:
        """Names of the bins of difficulty (the task's levels, or else `SHARES`) and each problem's bin, -1 for none."""
        levels = [next((run.levels[i] for run in self.runs if run.levels[i]), None) for i in range(len(self.problems))]
        names = sorted({level for level in levels if level is not None}, key=lambda name: (len(name), name))
        if names:
            return [f"level {name}" for name in names], [names.index(x) if x is not None else -1 for x in levels]
        found = [-1 if np.isnan(share) else min(int(share * len(SHARES)), len(SHARES) - 1) for share in self.shares]
        present = sorted(set(found) - {-1})
        return [SHARES[number] for number in present], [present.index(x) if x >= 0 else -1 for x in found]

    @cached_property
    def shares(self) -> list[float]:
        """Each problem's share of right candidates, over all runs."""
        right = sum(np.where(np.isnan(run.correct), 0, run.right) for run in self.runs)
        count = sum(np.where(np.isnan(run.correct), 0, run.candidates) for run in self.runs)
        return [float(r / c) if c else np.nan for r, c in zip(np.asarray(right), np.asarray(count), strict=True)]

    def in_bin(self, number: int) -> list[Estimate]:
        """Returns each run's accuracy on the problems of a bin."""
        rows = np.array(self.bins[1]) == number
        return [rate(column[rows]) for column in self.outcomes.T]

    @cached_property
    def choices(self) -> dict[str, list[Choice]]:
        """The compute-optimal choices by unit, for round budgets."""
        if self.best is None or len(self.runs) < 2 or not self.bins[0]:
            return {}
        found = {}
        for unit in _CHOICES:
            costs = np.stack([run.costs[unit] for run in self.runs], 1)
            budgets = round_budgets(self.mean_costs(unit))
            if budgets:
                found[unit] = choices(self.outcomes, costs, self.bins[1], budgets)
        return found


def compare(runs: Sequence[Run]) -> list[Comparison]:
    """Returns one comparison for each set of problems; the one with the most runs first.

    Problems are the same where id and question are.
    """
    sets: dict[frozenset[tuple[str, str]], list[Run]] = {}
    for run in runs:
        if run.problems:
            sets.setdefault(frozenset(run.problems), []).append(run)
    found = [
        Comparison(tuple(_ordered(run, same[0].problems) for run in labelled(same)), same[0].problems)
        for same in sets.values()
    ]
    return sorted(found, key=lambda comparison: -len(comparison.runs))


def labelled(runs: Sequence[Run]) -> list[Run]:
    """Gives each run a label: the strategy and those of its overrides that not all runs have.

    Runs that this does not tell apart have their path added.
    """
    overrides = Counter(text for run in runs for text in set(run.source.overrides))
    labels = []
    for run in runs:
        own = [text for text in run.source.overrides if overrides[text] < len(runs) and not _said_anyway(text)]
        labels.append(" ".join([run.source.strategy, *map(_without_group, own)]))
    counts = Counter(labels)
    return [
        replace(run, label=f"{label} ({run.source.name})" if counts[label] > 1 else label)
        for run, label in zip(runs, labels, strict=True)
    ]


def _said_anyway(override: str) -> bool:
    return override.startswith(("hydra.", "hydra/", "search=", "bank.", "dry_run="))


def _without_group(override: str) -> str:
    return override.removeprefix("search.").removeprefix("verifier.")


def _ordered(run: Run, problems: tuple[tuple[str, str], ...]) -> Run:
    if run.problems == problems:
        return run
    place = {key: number for number, key in enumerate(run.problems)}
    order = [place[key] for key in problems]
    arrays: dict[str, Any] = {
        name: getattr(run, name)[order] for name in ("correct", "majority", "right", "candidates", "failed")
    }
    lists: dict[str, Any] = {
        name: tuple(getattr(run, name)[i] for i in order) for name in ("problems", "answers", "levels", "rows")
    }
    return replace(run, costs={unit: cost[order] for unit, cost in run.costs.items()}, **arrays, **lists)


def _nan(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
