"""What a run's grading could not say: comparisons that failed, or of answers that were not understood."""

from __future__ import annotations

from tts.core.grader import Grader


class Doubts:
    """Counts what a grader could not say from now on; it may serve several runs.

    Args:
        grader: Grades the answers.
    """

    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._failures, self._unsure = grader.failures, grader.unsure

    def counts(self) -> dict[str, int]:
        """Returns how many comparisons failed and how many were unsure: all counted as different."""
        return {"failures": self._grader.failures - self._failures, "unsure": self._grader.unsure - self._unsure}
