"""How published data sets write down which steps are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Labels = tuple[bool | None, ...]
"""One per step: whether it is right; None where that is not labelled, or labelled as neutral."""

SIGNS: Final = {True: 1, False: -1, None: 0}
"""How this project writes them: the form that the reader `signs` reads."""


@dataclass(frozen=True)
class Reader:
    """One way to write labels.

    Attributes:
        name: What the setting `labels` calls it.
        expects: It, in words, for messages.
        complete: Whether the labels go on behind the first error.
        read: From a row's value and the number of steps to the labels, and how many labelled steps are not there. Raises
            ValueError with the reason where the value is none of this kind.
    """

    name: str
    expects: str
    complete: bool
    read: Callable[[object, int], tuple[Labels, int]]


def _first_error(value: object, steps: int) -> tuple[Labels, int]:
    if not _whole(value) or not -1 <= value < steps:  # type: ignore[operator]
        raise ValueError(f"the label is {value!r} for {steps} steps")
    if value == -1:
        return (True,) * steps, 0
    first = int(value)  # type: ignore[call-overload]
    return (True,) * first + (False,) + (None,) * (steps - first - 1), 0


def _error_steps(value: object, steps: int) -> tuple[Labels, int]:
    if not isinstance(value, list) or not all(_whole(number) and number >= 1 for number in value):
        raise ValueError(f"the label is {str(value)[:40]!r}")
    # Some rows of PRMBench name steps that are not there; its own code does not see them either.
    return tuple(number not in value for number in range(1, steps + 1)), sum(number > steps for number in value)


def _per_step(meanings: dict[str, bool | None]) -> Callable[[object, int], tuple[Labels, int]]:
    """Returns the reader of a list with a value a step; `meanings` by the values' `repr`, which tells 1 from true."""

    def read(value: object, steps: int) -> tuple[Labels, int]:
        if not isinstance(value, list) or len(value) != steps:
            raise ValueError(f"the label is {str(value)[:40]!r} for {steps} steps")
        wrong = [label for label in value if repr(label) not in meanings]
        if wrong:
            raise ValueError(f"a step's label is {wrong[0]!r}")
        return tuple(meanings[repr(label)] for label in value), 0

    return read


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader(
            "first_error",
            "the 0-based number of the first wrong step, -1 where there is none (ProcessBench)",
            False,
            _first_error,
        ),
        Reader("error_steps", "a list of the wrong steps' numbers, counted from 1 (PRMBench)", True, _error_steps),
        Reader(
            "signs",
            "a list with 1 (right), -1 (wrong) or 0 (neutral) for every step (VisualProcessBench, PRM800K), or '+' and '-'",
            True,
            _per_step({"1": True, "-1": False, "0": None, "'+'": True, "'-'": False}),
        ),
        Reader(
            "flags",
            "a list with true or 1 (right), false or 0 (wrong) for every step",
            True,
            _per_step({"True": True, "False": False, "1": True, "0": False}),
        ),
    )
}
"""By name."""
