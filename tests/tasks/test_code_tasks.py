"""The tasks whose answers are programs, with rows as they are published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.core.json import Summary
from tts.files.rows import read_rows

pytestmark = pytest.mark.integration
MBPP: Mapping[str, Mapping[str, Any]] = {
    "full": {
        "task_id": 1, "text": "Write a function to double a number.", "code": "def double(x):\n    return 2 * x",
        "test_list": ["assert double(2) == 4", "assert double(-1) == -2", "assert double(0) == zero"],
        "test_setup_code": "zero = 0", "challenge_test_list": [],
    },
    "sanitized": {
        "task_id": 1, "prompt": "Write a function to double a number.", "code": "def double(x):\n    return 2 * x",
        "test_list": ["assert double(math.inf) == math.inf", "assert double(3) == 6"], "test_imports": ["import math"],
    },
}  # fmt: skip
"""Made up here, in the published form."""


def graded(folder: Path, task: str, path: Path, programs: Mapping[str, Sequence[str]]) -> Sequence[Summary]:
    """Returns the records of a run over recorded programs, by problem."""
    recorded = folder / "programs.jsonl"
    rows = [{"id": name, "solutions": [{"text": text} for text in texts]} for name, texts in programs.items()]
    recorded.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    each = max(map(len, programs.values()))
    policy = ("policy=recorded", f"policy.path={recorded}", "verifier=always_correct", f"search.n={each}")
    return list(tts.evaluate(f"task={task}", f"task.path={path}", *policy).records)


@pytest.mark.parametrize("form", MBPP)
def test_rows_of_mbpp_are_graded_by_their_tests_which_the_question_shows(form: str, tmp_path: Path) -> None:
    row, path = MBPP[form], tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", "utf-8")
    (record,) = graded(tmp_path, "mbpp", path, {"1": [row["code"], "def double(x):\n    return x ** 2"]})
    assert record["question"].endswith("\n".join(["Your code should pass these tests:\n", *row["test_list"]]))
    assert [candidate["correct"] for candidate in record["solutions"]] == [True, False]


def test_the_published_programs_of_lbpp_pass_its_tests_and_others_do_not(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "lbpp" / "test.csv"
    right = {row["task_id"]: row["completion"] for _, row in read_rows(path) if isinstance(row, dict)}
    next_one = [*right.values()][1:]
    programs = {name: [own, other] for (name, own), other in zip(right.items(), [*next_one, "pass"], strict=True)}
    records = graded(tmp_path, "lbpp", path, programs)
    wrong = {record["id"] for record in records if [each["correct"] for each in record["solutions"]] != [True, False]}
    assert len(records) == 162
    assert wrong <= {"lbpp/92", "lbpp/99", "lbpp/154"}  # whose tests read files, which not every jail lets them write
