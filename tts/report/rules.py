"""The accuracy of each selection rule on the candidates of each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tts.core.selection import SELECTIONS
from tts.report.comparison import Comparison
from tts.report.statistics import Difference, Estimate, differences, rates


@dataclass(frozen=True)
class RuleTable:
    """Each rule's accuracy on the candidates of every run that has scores.

    Attributes:
        comparison: The runs.
    """

    comparison: Comparison

    @cached_property
    def runs(self) -> list[int]:
        """The runs that have scores."""
        return [number for number, run in enumerate(self.comparison.runs) if run.rules]

    @cached_property
    def accuracies(self) -> Mapping[int, Mapping[str, Estimate]]:
        """By run, each rule's accuracy."""
        found = {}
        for number in self.runs:
            columns = np.stack(list(self.comparison.runs[number].rules.values()), 1)
            found[number] = dict(zip(SELECTIONS, rates(columns, self.comparison.weights), strict=True))
        return found

    @cached_property
    def gains(self) -> Mapping[int, Mapping[str, Difference]]:
        """By run, each rule's advantage over the run's own choice, paired over problems."""
        return {number: self._gains(number) for number in self.runs}

    def _gains(self, number: int) -> dict[str, Difference]:
        run = self.comparison.runs[number]
        pairs = {name: np.stack([column, run.correct], 1) for name, column in run.rules.items()}
        found = {name: differences(pair, self.comparison.weights) for name, pair in pairs.items()}
        return {name: each[0, 1] for name, each in found.items() if (0, 1) in each}
