"""What is read of a line of `rationales.jsonl` to decide whether it is kept; the conversations stay in the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tts.core.errors import UserError
from tts.core.json import Json, JsonObject
from tts.files.rows import read_lines
from tts.tasks.step_labels import READERS, Labels

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A rationale without its text.

    Attributes:
        number: The number of its row, over all files.
        id: Its id.
        solution: The id of the solution that it is about.
        step: The index of the step that it is about, None if it is about the solution.
        problem: The problem's text.
        labels: The labels of the solution's steps; empty if it has none.
        judged: What the rationale says of the steps that it was shown.
        correct: Whether the solution's answer is right, None if unknown.
        verdict: Whether the rationale finds no error, None if it does not say.
        tokens: Tokens of its assistant's turns.
        turns: Number of these.
        dropped: Why it is of no use, None if it is of use.
        digest: Equal for equal conversations.
    """

    number: int
    id: str
    solution: str
    step: int | None
    problem: str
    labels: Labels
    judged: Labels
    correct: bool | None
    verdict: bool | None
    tokens: int
    turns: int
    dropped: str | None
    digest: bytes

    @property
    def about(self) -> tuple[str, int | None]:
        """What it is about: the solution and the step."""
        return self.solution, self.step


def rows(paths: Sequence[Path]) -> Iterator[tuple[str, JsonObject]]:
    """Yields the rows of files with their places.

    Raises:
        UserError: A file is missing, or a line is no JSON object.
    """
    for path in paths:
        for place, row in read_lines(path):
            if not isinstance(row, dict):
                raise UserError(f"{place}: not a line of rationales.jsonl, which tts synthesize writes")
            yield place, row


def entries(paths: Sequence[Path]) -> Iterator[Entry]:
    """Yields the entries of files.

    Raises:
        UserError: A line is not one of `rationales.jsonl`; names the place and what is wrong.
    """
    for number, (place, row) in enumerate(rows(paths)):
        try:
            yield _entry(number, row)
        except (KeyError, TypeError, ValueError) as error:
            what = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{place}: not a line of rationales.jsonl, which tts synthesize writes: {what}") from None


def relabelled(entry: Entry, labels: Mapping[str, Labels]) -> Entry:
    """Returns an entry with other labels of the same solution; with none if they do not have it.

    Raises:
        UserError: They label other steps.
    """
    found = labels.get(entry.solution, ())
    if found and len(found) != len(entry.labels):
        raise UserError(
            f"labels: solution {entry.solution} has {len(found)} steps there and {len(entry.labels)} in the rationales; "
            "they are of other samples"
        )
    return replace(entry, labels=found)


def _entry(number: int, row: JsonObject) -> Entry:
    messages, steps = _list(row, "messages"), _list(row, "steps")
    judged = _list(row, "judged")
    dropped = "error" if row["error"] is not None else row["dropped"]
    return Entry(
        number=number,
        id=_text(row, "id"),
        solution=_text(row, "solution"),
        step=None if row["step"] is None else _whole(row, "step"),
        problem=_text(row, "problem"),
        labels=_signs(row, "labels", len(steps)),
        judged=_signs(row, "judged", len(judged)),
        correct=_flag(row, "correct"),
        verdict=_flag(row, "verdict"),
        tokens=_whole(row, "tokens"),
        turns=sum(isinstance(turn, dict) and turn.get("role") == "assistant" for turn in messages),
        dropped=None if dropped is None else str(dropped),
        digest=hashlib.sha256(json.dumps(messages).encode()).digest(),
    )


def _signs(row: JsonObject, name: str, steps: int) -> Labels:
    # Anything but 1, -1 and 0 is refused: a -100 of padded labels would pass for true.
    try:
        return READERS["signs"].read(row[name], steps)[0]
    except ValueError as error:
        raise ValueError(f"{name}: {error}; it expects {READERS['signs'].expects}") from None


def _list(row: JsonObject, name: str) -> list[Json]:
    return _typed(row, name, list, "a list")


def _text(row: JsonObject, name: str) -> str:
    return _typed(row, name, str, "a text")


def _whole(row: JsonObject, name: str) -> int:
    value = _typed(row, name, int, "a whole number")
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, not a whole number")
    return value


def _flag(row: JsonObject, name: str) -> bool | None:
    return None if row[name] is None else _typed(row, name, bool, "true, false or null")


def _typed(row: JsonObject, name: str, kind: type[T], what: str) -> T:
    value = row[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {str(value)[:40]!r}, not {what}")
    return value
