"""Labels graded against others of the same solutions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.label.helpers import label, summary
from tts.cli.main import main
from tts.core.errors import UserError
from tts.label.compare import agreement
from tts.tasks.label_file import read_labels

LABELS = st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=3).map(tuple)


@given(st.lists(LABELS, min_size=1, max_size=8))
def test_labels_agree_with_themselves(labels: list[tuple[bool | None, ...]]) -> None:
    named = {str(number): one for number, one in enumerate(labels)}
    found = agreement(named, named)
    assert found.precision == found.recall
    assert found.precision in (None, 1.0)
    assert (found.solutions, found.missing) == (len(labels), 0)


def test_agreement_by_hand() -> None:
    truth = {"a": (True, False, None), "b": (True, True, True), "c": (False, True, False), "d": (True,)}
    found = agreement(truth, {"a": (True, False, False), "b": (True, False, True), "c": (True, True, None)})
    # Steps with both: a 2, b 3, c 2; wrong among them: a's second, c's first.
    assert (found.solutions, found.missing, found.steps) == (3, 1, 7)
    assert (found.hits, found.called, found.wrong) == (1, 2, 2)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert (found.acc_error, found.acc_correct, found.f1) == (0.5, 0.0, 0.0)


def test_what_is_not_of_the_same_solutions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no solution in common"):
        agreement({"a": (True,)}, {"b": (True,)})
    with pytest.raises(UserError, match="solution a has other steps"):
        agreement({"a": (True,)}, {"a": (True, True)})
    path = tmp_path / "other.jsonl"
    path.write_text('{"id": "a", "label": 1}\n')
    with pytest.raises(UserError, match=r"other.jsonl:1: not a line of labels.jsonl"):
        read_labels(path)
    path.write_text('{"id": "a", "steps": ["x"], "labels": [2]}\n')
    with pytest.raises(UserError, match="a step's label is 2"):
        read_labels(path)


def test_the_command_grades_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rule in ("hard", "rpe"):
        assert label(tmp_path / rule, f"rule={rule}", "task.limit=2")[0] == 0
    assert main(["label", "compare", str(tmp_path / "hard"), str(tmp_path / "rpe/labels.jsonl"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["solutions"] == summary(tmp_path / "rpe")["labelled"] == 16
    # What no completion solves is wrong by both, and RPE calls more steps wrong.
    assert found["recall"] == 1.0
    assert 0 < found["precision"] < 1
    assert main(["label", "compare", str(tmp_path / "hard"), str(tmp_path / "rpe")]) == 0
    assert "precision" in capsys.readouterr().out
    assert main(["label", "compare", str(tmp_path / "none"), str(tmp_path / "rpe")]) == 2
    assert "error:" in capsys.readouterr().err
