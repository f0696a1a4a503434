"""What docs/grading.md says of answers is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tts.tasks.answers import extract_answer
from tts.tasks.grading import MathGrader

PAGE = (Path(__file__).resolve().parents[2] / "docs/grading.md").read_text("utf-8")


def rows(heading: str) -> list[tuple[str, ...]]:
    """The code spans of each row of the table under a heading; what has none in its last cell is None's."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and "`" in line and "⏎` is" not in line]
    return [tuple(re.findall(r"`([^`]+)`", line)) for line in lines]


@pytest.mark.parametrize(("heading", "same"), [("Which answers are equal", True), ("Which are different", False)])
async def test_verdicts(heading: str, same: bool) -> None:
    grader = MathGrader()
    pairs = rows(heading)
    assert len(pairs) > 25
    wrong = [pair for pair in pairs if await grader.correct(pair[1], pair[0]) is not same]
    await grader.close()
    assert wrong == []


def test_extraction() -> None:
    table = rows("What is found in a text")
    assert len(table) > 10
    for text, *answer in table:
        assert extract_answer(text.replace("⏎", "\n")) == next(iter(answer), None)
