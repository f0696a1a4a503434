"""Answers by kind: this project's own pairs, and the file of cases beside the checkout."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tts.tasks.answers import extract_answer
from tts.tasks.grading import MathGrader


def table(name: str) -> dict[str, list[list[str]]]:
    """The pairs of a file in `pairs/`, by kind."""
    text = (Path(__file__).with_name("pairs") / f"{name}.txt").read_text("utf-8")
    kinds = (section.partition("\n") for section in text.split("\n## ")[1:])
    return {kind: [row.replace("⏎", "\n").split(" @ ") for row in rows.splitlines() if row] for kind, _, rows in kinds}


SAME, DIFFERENT, STATED = map(table, ("same", "different", "stated"))


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    grader = MathGrader()
    yield grader
    asyncio.run(grader.close())


@pytest.mark.parametrize("kind", SAME)
async def test_the_same_answers(grader: MathGrader, kind: str) -> None:
    wrong = [pair for pair in SAME[kind] if not await grader.correct(extract_answer(pair[1]) or pair[1], pair[0])]
    assert wrong == []


@pytest.mark.parametrize("kind", SAME)
async def test_the_same_answers_are_equivalent_in_either_order(grader: MathGrader, kind: str) -> None:
    pairs = [pair for pair in SAME[kind] if extract_answer(pair[1]) is None]
    assert [pair for pair in pairs if not await grader.equivalent(pair[1], pair[0])] == []


@pytest.mark.parametrize("kind", DIFFERENT)
async def test_different_answers(grader: MathGrader, kind: str) -> None:
    wrong = [pair for pair in DIFFERENT[kind] if await grader.correct(extract_answer(pair[1]) or pair[1], pair[0])]
    wrong += [pair for pair in DIFFERENT[kind] if await grader.correct(pair[0], pair[1])]
    assert wrong == []


@pytest.mark.parametrize(("answer", "text"), [row for rows in STATED.values() for row in rows])
def test_what_is_found_in_a_text(answer: str, text: str) -> None:
    assert extract_answer(text) == (None if answer == "none" else answer)


async def test_the_shared_cases(shared_data: Path, grader: MathGrader) -> None:
    path = shared_data.parent / "cases/grading.jsonl"
    if not path.is_file():
        pytest.skip(f"no cases at {path}")
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        found = extract_answer(row["text"])
        if "answer" in row:
            assert found == row["answer"], row
        else:
            assert await grader.correct(found or row["text"], row["reference"]) is row["same"], row
