"""Comparison of runs over the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tts.report.budgets import Choice, choices, front, round_budgets, savings
from tts.report.labels import labelled
from tts.report.pools import Floats
from tts.report.repetitions import merged
from tts.report.runs import UNITS, Bools, Run, mean_of
from tts.report.sets import sets
from tts.report.statistics import Difference, Estimate, differences, means, rates, resamples

SHARES = ("0-20 %", "20-40 %", "40-60 %", "60-80 %", "80-100 %")
"""Difficulty bins by the share of right candidates over all runs."""

_CHOICES = ("flops", "all_tokens", "tokens", "latency_s", "dollars")
"""Units in which the compute-optimal choice is shown: costs that each problem has separately."""


@dataclass(frozen=True)
class Comparison:
    """Runs over the same problems.

    Attributes:
        runs: The runs, all in the order of `problems`; runs that differ only in their seed are merged.
        problems: (id, question) of each problem.
    """

    runs: tuple[Run, ...]
    problems: tuple[tuple[str, str], ...]

    @cached_property
    def outcomes(self) -> Floats:
        """(P, R) whether the strategies' choices are right, averaged over seeds; NaN where no answer can be graded."""
        return np.stack([run.correct for run in self.runs], 1)

    @cached_property
    def ranked(self) -> Bools:
        """(R,) which runs can be ranked: those with all problems whose figures are results: not told, not simulated."""
        return np.array([bool(run.there.all()) and not run.source.marks for run in self.runs])

    @cached_property
    def parts(self) -> list[tuple[int, Run]]:
        """The runs of single seeds, each with the number of the merged run that contains it."""
        return [(number, part) for number, run in enumerate(self.runs) for part in run.parts]

    @cached_property
    def weights(self) -> Floats:
        """The bootstrap's resamples of the problems, the same for all runs, so that differences are paired."""
        return resamples(len(self.problems))

    @cached_property
    def accuracies(self) -> list[Estimate]:
        """Each run's accuracy with its interval."""
        return rates(self.outcomes, self.weights)

    @cached_property
    def others(self) -> dict[str, list[Estimate]]:
        """Other rates of each run's candidates: `majority`, `pass_at_1` (bootstrap interval), `oracle`.

        The first two are NaN for guided searches, whose candidates are not independent samples of the policy.
        """
        unguided = np.array([np.nan if run.source.guided else 1.0 for run in self.runs])
        return {
            "majority": rates(unguided * np.stack([run.majority for run in self.runs], 1), self.weights),
            "pass_at_1": means(unguided * np.stack([run.share for run in self.runs], 1), self.weights),
            "oracle": rates(np.stack([run.oracle for run in self.runs], 1), self.weights),
        }

    def accuracy_errors_wrong(self, number: int) -> float:
        """Returns a run's accuracy with failed problems counted as wrong; NaN if nothing is graded."""
        run = self.runs[number]
        counted = mean_of([np.where(part.failed, 0.0, part.correct) for part in run.parts])
        return np.nan if np.isnan(run.correct).all() else float(np.nanmean(counted))

    @property
    def bin_titles(self) -> list[str]:
        """The names of the difficulty bins, as headings: they say of what they are shares."""
        return [f"{name} right" if name in SHARES else name for name in self.bins[0]]

    def lacks(self, number: int) -> bool:
        """Whether a run lacks some of the problems, as one with a limit or one that was interrupted does."""
        return not self.runs[number].there.all()

    def errors(self, number: int) -> int:
        """Returns the number of a run's failed problems, over all of its seeds."""
        return int(sum(part.failed.sum() for part in self.runs[number].parts))

    @cached_property
    def differences(self) -> dict[tuple[int, int], Difference]:
        """For each pair of runs, the advantage of the first."""
        return differences(self.outcomes, self.weights, [len(run.parts) for run in self.runs])

    @cached_property
    def best(self) -> int | None:
        """The most accurate ranked run, of equals the cheapest on `axis`; None if nothing is graded."""
        on_front = self.front(self.axis)
        return on_front[-1] if on_front else None

    @cached_property
    def axis(self) -> str:
        """The unit that runs are compared in unless another is asked for.

        It counts what every model reads and writes, so that a verifier that only reads has a cost: FLOPs where those of all
        runs are known, else tokens of prompts and completions.
        """
        flops = self.mean_costs("flops")
        return "flops" if all(np.isfinite(flops)) and any(flops) else "all_tokens"

    @cached_property
    def units(self) -> list[str]:
        """The units in which any run has a cost, `axis` first."""
        units = sorted(UNITS, key=lambda unit: unit != self.axis)
        return [unit for unit in units if any(cost > 0 for cost in self.mean_costs(unit))]

    def mean_costs(self, unit: str) -> list[float]:
        """Returns each run's mean cost per problem; NaN if unknown."""
        return [float(run.costs[unit][run.there].mean()) for run in self.runs]

    def front(self, unit: str) -> list[int]:
        """Returns the runs on the Pareto front of accuracy against a cost, cheapest first."""
        return front(self.mean_costs(unit), self._ranked_accuracies)

    def savings(self, unit: str) -> list[float]:
        """Returns each run's cost divided by that of the cheapest run that is as accurate."""
        return savings(self.mean_costs(unit), self._ranked_accuracies)

    @cached_property
    def _ranked_accuracies(self) -> list[float]:
        pairs = zip(self.accuracies, self.ranked, strict=True)
        return [np.nan if estimate.mean is None or not ranked else estimate.mean for estimate, ranked in pairs]

    @cached_property
    def bins(self) -> tuple[list[str], list[int]]:
        """Names of the difficulty bins (the task's levels, or else `SHARES`) and each problem's bin, -1 for none."""
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
        right = sum(np.where(np.isnan(part.correct), 0, part.right) for _, part in self.parts)
        count = sum(np.where(np.isnan(part.correct), 0, part.candidates) for _, part in self.parts)
        return [float(r / c) if c else np.nan for r, c in zip(np.asarray(right), np.asarray(count), strict=True)]

    def in_bin(self, number: int) -> list[Estimate]:
        """Returns each run's accuracy on the problems of a bin."""
        rows = np.array(self.bins[1]) == number
        return rates(np.where(rows[:, None], self.outcomes, np.nan), self.weights)

    @cached_property
    def choices(self) -> dict[str, list[Choice]]:
        """The compute-optimal choices by unit, for round budgets."""
        if self.best is None or self.ranked.sum() < 2 or not self.bins[0]:
            return {}
        found = {}
        outcomes = np.where(self.ranked, self.outcomes, np.nan)
        for unit in sorted(_CHOICES, key=lambda unit: unit != self.axis):
            costs = np.stack([run.costs[unit] for run in self.runs], 1)
            usable = np.where(self.ranked, self.mean_costs(unit), np.nan)
            budgets = round_budgets(list(usable))
            if budgets and np.isfinite(usable).sum() > 1:
                found[unit] = choices(outcomes, costs, self.bins[1], budgets)
        return found


def compare(runs: Sequence[Run]) -> list[Comparison]:
    """Returns one comparison per set of problems, the one with the most runs first; seeds are merged."""
    found = [Comparison(tuple(labelled(merged(of))), problems) for problems, of in sets(runs)]
    return sorted(found, key=lambda comparison: -len(comparison.runs))
