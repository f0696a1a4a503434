"""What a policy writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "step"]
"""Why a solution's text ends: the policy ended it, a token limit cut it, or it is a prefix that can be continued."""


@dataclass(frozen=True)
class Solution:
    """A solution, or the beginning of one, as a policy wrote it.

    Attributes:
        text: The policy's own text, exactly; what a continuation goes on from.
        steps: The text cut into steps by the policy's step separator; what a verifier judges.
        finish_reason: `stop` only where the policy itself ended the solution.
        index: Which sample of its prefix this is; with the run's seed it fixes the sample.
        tokens: Completion tokens of the whole text, 0 where unknown (recorded solutions).
        correct: What the source of a recorded solution says of it; None where it says nothing.
    """

    text: str = ""
    steps: tuple[str, ...] = ()
    finish_reason: FinishReason = "step"
    index: int = 0
    tokens: int = 0
    correct: bool | None = None

    @property
    def finished(self) -> bool:
        """Whether the policy itself ended the solution; one that was cut at a token limit is not finished."""
        return self.finish_reason == "stop"
