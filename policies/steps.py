"""Step formats: how a solution's text is split into steps, and how a policy is made to write one more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tts.core import FinishReason, Solution

Cut = Iterator[tuple[str, int]]
"""Non-empty steps, each with the offset in the text after it and its separator."""


@dataclass(frozen=True)
class StepFormat:
    """A way to write steps.

    Attributes:
        cut: Splits a solution's text. A step ends where it would have ended if sampled separately.
        stop: The stop string when steps are sampled one at a time.
        keep_stop: Whether the stop string stays in the text, because the next step continues after it.
        opening: Text inserted before step k (0-based), given the text before it; forces the policy into the format.
    """

    cut: Callable[[str], Cut]
    stop: str
    keep_stop: bool
    opening: Callable[[str, int], str]

    def split(self, text: str) -> tuple[str, ...]:
        """Returns the steps of a text."""
        return tuple(step for step, _ in self.cut(text))

    def solution(self, text: str, finish_reason: FinishReason, index: int = 0) -> Solution:
        """Returns the solution with this text."""
        cut = tuple(self.cut(text))
        return Solution(text, tuple(step for step, _ in cut), finish_reason, index, ends=tuple(end for _, end in cut))


def _no_opening(before: str, k: int) -> str:
    return ""


def separator_format(separator: str) -> StepFormat:
    r"""Returns the format of steps separated by `separator`.

    Source: GenPRM judges every paragraph as a step, `response.split("\n\n")`.
    """

    def cut(text: str) -> Cut:
        end = 0
        for step in text.split(separator):
            end = min(end + len(step) + len(separator), len(text))
            if step.strip():
                yield step, end

    return StepFormat(cut, separator, True, _no_opening)


def _cut_before(marker: str) -> Callable[[str], Cut]:
    """Returns a function that splits a text before each line that matches the pattern `marker`."""
    pattern = re.compile(rf"^(?={marker})", re.MULTILINE)

    def cut(text: str) -> Cut:
        starts = [0, *(match.start() for match in pattern.finditer(text)), len(text) + 1]
        for start, following in pairwise(starts):
            # The line end before the marker belongs to the stop string, which a separately sampled step does not keep.
            end = max(start, following - 1)
            if text[start:end].strip():
                yield text[start:end].strip("\n"), end

    return cut


def _cut_numbered(text: str) -> Cut:
    k = 0
    for step, end in _cut_before(r"Step \d+:")(text):
        if (content := re.sub(r"^Step \d+: ?", "", step)).strip():
            k += 1
            yield f"Step {k}: {content}", end


def _open_heading(before: str, k: int) -> str:
    # The model writes the first heading itself: its prompt asks for it.
    return f"{_line_end(before)}## Step {k + 1}: " if k else ""


def _open_numbered(before: str, k: int) -> str:
    return f"{_line_end(before)}Step {k + 1}: "


def _line_end(before: str) -> str:
    """Returns the newlines that make `before` end with a blank line."""
    return "\n" * max(0, 2 - (len(before) - len(before.rstrip("\n")))) if before else ""


FORMATS = {
    "blank_line": separator_format("\n\n"),
    # Llama-3's own format, requested by its official prompt.
    "heading": StepFormat(_cut_before("## Step "), "\n## Step", False, _open_heading),
    # GenPRM's data generation: the answer is forced to begin with `Step 1: ` and every step is renumbered.
    "numbered": StepFormat(_cut_numbered, "\nStep ", False, _open_numbered),
}


def step_format(name: str) -> StepFormat:
    """Returns the format called `name`; any other text is used as a separator."""
    return FORMATS.get(name) or separator_format(name)
