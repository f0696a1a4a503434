"""What rationales are written about: a solution, or one of its steps, several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts.tasks.labelled import LabelledSolution


@dataclass(frozen=True)
class Item:
    """One rationale to be written.

    Attributes:
        labelled: The solution.
        step: The index of the step that it is about, None if it is about the solution.
        sample: Which of the rationales about it.
    """

    labelled: LabelledSolution
    step: int | None
    sample: int

    @property
    def id(self) -> str:
        """Unique: the solution's id, the step, the sample."""
        step = "" if self.step is None else f"@{self.step}"
        return f"{self.labelled.problem.id}{step}/{self.sample}"

    @property
    def steps(self) -> Sequence[str]:
        """The steps to show."""
        steps = self.labelled.solution.steps
        return steps if self.step is None else steps[: self.step + 1]


def items(solutions: Sequence[LabelledSolution], by_step: bool, samples: int) -> Iterator[Item]:
    """Yields `samples` items for each solution, or for each of its steps."""
    for labelled in solutions:
        for step in range(len(labelled.solution.steps)) if by_step else (None,):
            for sample in range(samples):
                yield Item(labelled, step, sample)
