"""What a policy writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tts.core.well_formed import well_formed

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
        ends: For each step the offset in `text` behind it and its separator, as a policy that writes one step at a time
            ends it. Empty where whoever cut the text did not say.
    """

    text: str = ""
    steps: tuple[str, ...] = ()
    finish_reason: FinishReason = "step"
    index: int = 0
    tokens: int = 0
    correct: bool | None = None
    ends: tuple[int, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Makes the texts well-formed."""
        if self.text.isascii() and all(map(str.isascii, self.steps)):
            return
        text = well_formed(self.text)
        object.__setattr__(self, "steps", tuple(map(well_formed, self.steps)))
        if text != self.text:
            object.__setattr__(self, "text", text)
            object.__setattr__(self, "ends", ())  # two halves may have become one character

    @property
    def finished(self) -> bool:
        """Whether the policy itself ended the solution; one that was cut at a token limit is not finished."""
        return self.finish_reason == "stop"

    def prefix(self, k: int) -> Solution:
        """Returns the beginning of `k` steps as the policy wrote it; the solution itself where it has no more steps.

        Its tokens are unknown, nobody has said whether it is right, and it can be continued. Without `ends` the steps are
        looked for in the text. Where the text is not made of them, as in recordings whose steps were edited, the steps
        stand for it, set off by blank lines.

        Raises:
            ValueError: `k` is negative.
        """
        if k < 0:
            raise ValueError(f"a prefix of {k} steps: the number must not be negative")
        if k >= len(self.steps):
            return self
        ends = self.ends or _ends(self.text, self.steps)
        steps = self.steps[:k]
        text = self.text[: ends[k - 1] if k else 0] if ends else "\n\n".join(steps)
        return replace(self, text=text, steps=steps, finish_reason="step", tokens=0, correct=None, ends=ends[:k])


def _ends(text: str, steps: Sequence[str]) -> tuple[int, ...]:
    """Returns where each step and the blank text behind it end, nothing where the text holds more than the steps."""
    starts: list[int] = []
    end = 0
    for step in steps:
        start = text.find(step, end)
        if start < 0 or text[end:start].strip():
            return ()
        starts.append(start)
        end = start + len(step)
    return () if text[end:].strip() else (*starts[1:], len(text))
