"""A labelled solution with a verifier's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts.tasks.step_labels import Labels

NO_ERROR = -1
"""ProcessBench's label of a solution without an error."""


@dataclass(frozen=True)
class Judged:
    """A labelled solution with a verifier's scores.

    Attributes:
        labels: One per step: whether it is right, None if unlabelled.
        complete: Whether every step is labelled, including those after the first error.
        scores: The verifier's, from the first step; None where it gave no usable one. Fewer than steps if it stopped
            early.
    """

    labels: Labels
    complete: bool
    scores: tuple[float | None, ...]

    @property
    def label(self) -> int:
        """The index of the first wrong step, -1 if there is none."""
        return self.labels.index(False) if False in self.labels else NO_ERROR

    @property
    def usable(self) -> list[float]:
        """The scores that are not None."""
        return [score for score in self.scores if score is not None]

    @property
    def differences(self) -> Judged:
        """The same with each score replaced by its difference to the score of the step before; the first one stays.

        None if either of the two scores is missing.
        """
        pairs = pairwise((0.0, *self.scores))
        changes = tuple(None if one is None or other is None else other - one for one, other in pairs)
        return replace(self, scores=changes)

    def prediction(self, threshold: float) -> int | None:
        """Returns the index of the first step with a score below the threshold, -1 if there is none.

        None if the verifier gave no usable score at all: this counts as wrong whatever the label is, as ProcessBench
        counts unparsable judgements. Single steps without a score are skipped.
        """
        if not self.usable:
            return None
        return next((i for i, score in enumerate(self.scores) if score is not None and score < threshold), NO_ERROR)

    def steps(self, threshold: float) -> list[tuple[bool, bool | None]]:
        """Returns, for every labelled step, whether it is right and the prediction, None if there is none."""
        missing = (None,) * (len(self.labels) - len(self.scores))
        pairs = zip(self.labels, (*self.scores, *missing), strict=False)
        return [(label, None if score is None else score >= threshold) for label, score in pairs if label is not None]


def counts(judged: Sequence[Judged], of: bool) -> int:
    """Returns the number of solutions with an error (`of` is True) or without."""
    return sum((one.label != NO_ERROR) == of for one in judged)
