"""Step formats: how a solution's text is cut into steps, and how a policy is made to write one more."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepFormat:
    """A way to write steps.

    Attributes:
        split: Cuts a solution's text into its steps, without empty ones.
        stop: Ends a step when steps are sampled one at a time.
        keep_stop: Whether the stop string stays in the text, because the next step goes on behind it.
        opening: Text that is put in front of step k (0-based), given the text before it; forces the policy into the format.
    """

    split: Callable[[str], tuple[str, ...]]
    stop: str
    keep_stop: bool
    opening: Callable[[str, int], str]


def _no_opening(before: str, k: int) -> str:
    return ""


def separator_format(separator: str) -> StepFormat:
    r"""Returns the format of steps that stand between occurrences of `separator`.

    Source: GenPRM judges every paragraph as a step, `response.split("\n\n")`.
    """

    def split(text: str) -> tuple[str, ...]:
        return tuple(step for step in text.split(separator) if step.strip())

    return StepFormat(split, separator, True, _no_opening)


def _split_before(marker: str) -> Callable[[str], tuple[str, ...]]:
    pattern = re.compile(rf"^(?={marker})", re.MULTILINE)

    def split(text: str) -> tuple[str, ...]:
        return tuple(step for part in pattern.split(text) if (step := part.strip("\n")).strip())

    return split


def _split_numbered(text: str) -> tuple[str, ...]:
    parts = [re.sub(r"^Step \d+: ?", "", part) for part in _split_before(r"Step \d+:")(text)]
    return tuple(f"Step {k}: {part}" for k, part in enumerate((part for part in parts if part.strip()), 1))


def _open_heading(before: str, k: int) -> str:
    # The first heading is the model's own: its prompt asks for it.
    return f"{_line_end(before)}## Step {k + 1}: " if k else ""


def _open_numbered(before: str, k: int) -> str:
    return f"{_line_end(before)}Step {k + 1}: "


def _line_end(before: str) -> str:
    """Returns what makes `before` end with a blank line."""
    return "\n" * max(0, 2 - (len(before) - len(before.rstrip("\n")))) if before else ""


FORMATS = {
    "blank_line": separator_format("\n\n"),
    # Llama-3's own habit, asked for by its official prompt.
    "heading": StepFormat(_split_before("## Step "), "\n## Step", False, _open_heading),
    # GenPRM's data generation: the answer is made to begin with `Step 1: ` and every step is renumbered.
    "numbered": StepFormat(_split_numbered, "\nStep ", False, _open_numbered),
}


def step_format(name: str) -> StepFormat:
    """Returns the format called `name`; any other text is taken as a separator of its own."""
    return FORMATS.get(name) or separator_format(name)
