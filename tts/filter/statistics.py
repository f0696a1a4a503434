"""The statistics of a filter: what was dropped and why, and the labels before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tts.core.json import JsonObject
from tts.filter.entries import Entry

_STEPS: Final = {True: "right", False: "wrong", None: "unlabelled"}
_VERDICTS: Final = {True: "right", False: "wrong", None: "open"}


@dataclass
class Histogram:
    """The labels and verdicts of rationales.

    Attributes:
        rationales: Number of rationales.
        solutions: The solutions that they are about.
        verdicts: Rationales by what they say.
        steps: Labels of the steps of the solutions that they are about, once a rationale.
        first_errors: Rationales by the first step that is labelled wrong, -1 for none.
        tokens: Sum over the rationales.
    """

    rationales: int = 0
    solutions: set[str] = field(default_factory=set)
    verdicts: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    first_errors: Counter[int] = field(default_factory=Counter)
    tokens: int = 0

    def add(self, entry: Entry) -> None:
        """Adds a rationale."""
        self.rationales += 1
        self.solutions.add(entry.solution)
        self.verdicts[_VERDICTS[entry.verdict]] += 1
        shown = entry.labels if entry.step is None else entry.labels[entry.step : entry.step + 1]
        self.steps.update(_STEPS[label] for label in shown)
        self.first_errors[entry.labels.index(False) if False in entry.labels else -1] += 1
        self.tokens += entry.tokens

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Histogram:
        """Returns the histogram of rationales."""
        made = cls()
        for entry in entries:
            made.add(entry)
        return made

    def to_json(self) -> JsonObject:
        """Returns it as it is written."""
        return {
            "rationales": self.rationales,
            "solutions": len(self.solutions),
            "verdicts": {name: self.verdicts[name] for name in _VERDICTS.values()},
            "steps": {name: self.steps[name] for name in _STEPS.values()},
            "first_errors": {str(index): number for index, number in sorted(self.first_errors.items())},
            "tokens": self.tokens,
        }
