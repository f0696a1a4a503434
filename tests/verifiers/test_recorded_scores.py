"""Recorded scores are numbers of a solution, given once; anything else is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tts.core.errors import UserError
from verifiers.recorded import RecordedVerifier

GOOD = {"id": "a", "index": 0, "scores": [0.5, None, 1]}
WRONG = [
    {"index": True}, {"index": 0.0}, {"index": 1.5}, {"index": "0"}, {"index": None}, {"index": {}}, {"index": -2},
    {"scores": [True]}, {"scores": [{}]}, {"scores": {}}, {"scores": "0.5"}, {"scores": ["0.5"]}, {"scores": 0.5},
    {"scores": None},
    {"scores": [float("inf")]}, {"scores": [float("-inf")]}, {"scores": [float("nan")]}, {"scores": [10**400]},
    {"scores": [[0.5]]},
    {"id": True}, {"id": None}, {"id": 1.5}, {"id": ["a"]}, {"id": {}},
]  # fmt: skip
ROWS = [json.dumps({**GOOD, **change}) for change in WRONG] + [
    "[]",
    "1",
    "null",
    '"a"',
    "{}",
    '{"id": "a"}',
    "[" * 5000,
]


def read(tmp_path: Path, *lines: str) -> RecordedVerifier:
    path = tmp_path / "scores.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    verifier = RecordedVerifier(str(path))
    verifier.check()
    return verifier


@pytest.mark.parametrize("row", ROWS, ids=[row[:60] for row in ROWS])
def test_what_is_no_score_is_refused_with_its_line(row: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scores\.jsonl:2: "):
        read(tmp_path, json.dumps({**GOOD, "id": "b"}), row)


@pytest.mark.parametrize("again", [GOOD, {**GOOD, "scores": [1]}])
def test_scores_that_are_given_twice_are_refused(again: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scores\.jsonl:2: .*given twice"):
        read(tmp_path, json.dumps(GOOD), json.dumps(again))
    with pytest.raises(UserError, match="given twice"):
        read(tmp_path, json.dumps({**GOOD, "id": 1}), json.dumps({**GOOD, "id": "1"}))


def test_what_holds_is_read(tmp_path: Path) -> None:
    read(tmp_path, json.dumps(GOOD), json.dumps({**GOOD, "index": -1}), json.dumps({**GOOD, "id": 7, "scores": []}))
