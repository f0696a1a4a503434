"""Solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tts.core.well_formed import well_formed

FinishReason = Literal["stop", "length", "step"]
"""Why a solution's text ends: the policy ended it, a token limit cut it, or it is an extensible prefix."""


@dataclass(frozen=True, slots=True)
class Written:
    """A token as the policy wrote it.

    Attributes:
        text: Its text; empty for the end of the solution.
        logprob: Its natural log-probability under the model itself.
        proposed: The same under the distribution that it was sampled from.
        confidence: The negative mean log-probability, under the model, of the likeliest tokens at its place.
    """

    text: str
    logprob: float
    proposed: float
    confidence: float


@dataclass(frozen=True)
class Solution:
    """A solution, or a prefix of one, as a policy wrote it.

    Attributes:
        text: The policy's exact text, which continuations extend.
        steps: The text split into steps by the policy's step separator; a verifier judges these.
        finish_reason: `stop` only if the policy itself ended the solution.
        index: Index of this sample of its prefix; with the run's seed it determines the sample.
        tokens: Completion tokens of the whole text, 0 if unknown (recorded solutions).
        correct: Whether it is correct according to the source of a recorded solution; None if that says nothing.
        ends: For each step the offset in `text` after it and its separator, as a policy that writes one step at a time
            ends it. Empty if unknown.
        trace: Its tokens with their log-probabilities, from a policy that reports them. The texts joined may go on after
            the end of `text`, where a stop string was cut, and lack what a strategy appended. Empty if unknown.
    """

    text: str = ""
    steps: tuple[str, ...] = ()
    finish_reason: FinishReason = "step"
    index: int = 0
    tokens: int = 0
    correct: bool | None = None
    ends: tuple[int, ...] = field(default=(), compare=False, repr=False)
    trace: tuple[Written, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Makes the texts well-formed."""
        if self.text.isascii() and all(map(str.isascii, self.steps)):
            return
        text = well_formed(self.text)
        object.__setattr__(self, "steps", tuple(map(well_formed, self.steps)))
        if text != self.text:
            object.__setattr__(self, "text", text)
            object.__setattr__(self, "ends", ())  # offsets may have changed

    @property
    def finished(self) -> bool:
        """Whether the policy itself ended the solution; one cut at a token limit is not finished."""
        return self.finish_reason == "stop"

    def prefix(self, k: int) -> Solution:
        """Returns the prefix of `k` steps as the policy wrote it; the solution itself if it has no more steps.

        Its tokens and correctness are unknown, and it can be continued. Without `ends` the steps are searched for in
        the text. If the text does not consist of them, as in recordings with edited steps, the steps joined by blank
        lines replace it.

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
        return replace(
            self, text=text, steps=steps, finish_reason="step", tokens=0, correct=None, ends=ends[:k], trace=()
        )


def _ends(text: str, steps: Sequence[str]) -> tuple[int, ...]:
    """Returns where each step and the blank text after it end; empty if the text holds more than the steps."""
    starts: list[int] = []
    end = 0
    for step in steps:
        start = text.find(step, end)
        if start < 0 or text[end:start].strip():
            return ()
        starts.append(start)
        end = start + len(step)
    return () if text[end:].strip() else (*starts[1:], len(text))
