"""Data files that are tables, and texts made of a row's lists."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tts.core.errors import UserError
from tts.tasks.dataset import DatasetTask

ROWS = [{"id": str(i), "question": f"One line,\nand how much is {i} + 1?", "answer": str(i + 1)} for i in range(6)]


def dataset(path: Path, **fields: Any) -> DatasetTask:
    return DatasetTask(name="sums", path=str(path), fields={"question": "question", "answer": "answer", **fields})


def test_a_table_holds_problems(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, ["id", "question", "answer"])
        table.writeheader()
        table.writerows(ROWS)
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for task in (dataset(path, id="id"), dataset(packed, id="id")):
        task.check()
        assert [{"id": p.id, "question": p.question, "answer": p.answer} for p in task.problems()] == ROWS


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"a,b,c\n", "a.csv:2: it has more cells than the first row names"),
        (b"?\n", "a.csv:2: no answer"),
        (b'"?",1\n"?"x,2\n', "a.csv:3: broken table"),
        (b'"?",1\n"?', "a.csv:3: broken table"),
        (b"?,1\ncaf\xe9,1\n", "not UTF-8: byte 0xe9"),
        (b'"' + b"x" * 200_000 + b'",1\n', "a.csv:2: broken table: field larger than"),
        (b"", "holds no problems"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, bad: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"question,answer\n" + bad)
    with pytest.raises(UserError) as caught:
        dataset(path).check()
    assert said in str(caught.value)


def test_a_field_that_is_named_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer,question\n?,1,!\n", "utf-8")
    with pytest.raises(UserError, match=r"a\.csv:1: it names a field twice"):
        dataset(path).check()


def test_the_texts_of_a_list_are_lines_of_what_a_template_makes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "Add.", "tests": ["a", "{b}"], "none": [], "numbers": [1]}) + "\n", "utf-8")
    (problem,) = dataset(path, question="{text}:\n{tests}{none}", answer="{numbers} {tests[1]}").problems()
    assert (problem.question, problem.answer) == ("Add.:\na\n{b}", "[1] {b}")


@pytest.mark.parametrize("name", ["{tests[a]}", "{tests:>3x}", "{tests.a}", "{0}", "{", "{other}"])
def test_a_template_that_does_not_fit_a_row_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"tests": [1], "answer": "2"}) + "\n", "utf-8")
    with pytest.raises(UserError, match=r"a\.jsonl:1: no question"):
        dataset(path, question=name).check()
