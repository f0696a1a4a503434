"""Tasks of labelled solutions: the ways to write labels, several files, and what users do wrong."""

from __future__ import annotations

import gzip
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.core.settings import inside
from tts.tasks.labelled import LabelledSource, LabelledTask
from tts.tasks.step_labels import READERS

ROW = {"id": "a", "problem": "1 + 1?", "steps": ["It is 3.", "So 3."], "label": 0}


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def task(path: Path | list[Path] | None, option: str = "processbench", *overrides: str) -> LabelledTask:
    where = "null" if path is None else f"[{','.join(map(str, path))}]" if isinstance(path, list) else path
    with initialize_config_module("conf", version_base="1.3"):
        made: LabelledTask = instantiate(
            compose(overrides=[f"+task={option}", f"task.path={where}", *overrides]).task, _convert_="all"
        )
    return made


def message(made: LabelledTask) -> str:
    with pytest.raises(UserError) as caught, inside("task"):
        made.check()
    return str(caught.value)


def test_a_row_becomes_a_labelled_solution(tmp_path: Path) -> None:
    made = task(lines(tmp_path / "math.jsonl", [{**ROW, "generator": "m"}]))
    made.check()
    [only] = made.solutions()
    assert isinstance(made, LabelledSource)
    assert (only.problem.id, only.problem.question, only.problem.answer) == ("a", "1 + 1?", None)
    assert only.problem.metadata == {"generator": "m"}
    assert (only.solution.steps, only.solution.text) == (("It is 3.", "So 3."), "It is 3.\n\nSo 3.")
    assert (only.subset, only.labels, only.complete) == ("math", (False, None), False)
    assert list(made.problems()) == [only.problem]


def test_several_files_and_folders_are_subsets(tmp_path: Path) -> None:
    first = lines(tmp_path / "data" / "b.jsonl", [{**ROW, "id": key} for key in "xyz"])
    zipped = tmp_path / "data" / "a.json.gz"
    zipped.write_bytes(gzip.compress(json.dumps([{**ROW, "id": "w"}]).encode()))
    (tmp_path / "data" / "notes.txt").write_text("no data")
    assert [(one.subset, one.problem.id) for one in task(tmp_path / "data").solutions()] == [
        ("a", "w"),
        ("b", "x"),
        ("b", "y"),
        ("b", "z"),
    ]
    made = task([first, zipped], "processbench", "task.limit=1", "task.offset=0")
    made.check()
    assert [one.subset for one in made.solutions()] == ["b", "a"]
    assert made.count() == 2
    kinds = lines(tmp_path / "kinds.jsonl", [{**ROW, "id": str(n), "kind": n % 2} for n in range(4)])
    parts = Counter(one.subset for one in task(kinds, "processbench", "task.fields.subset=kind").solutions())
    assert parts == {"0": 2, "1": 2}


def test_rows_without_ids_are_named_by_their_file(tmp_path: Path) -> None:
    bare = {key: value for key, value in ROW.items() if key != "id"}
    files = [lines(tmp_path / f"{name}.jsonl", [bare, bare]) for name in "ab"]
    assert [one.problem.id for one in task(files).solutions()] == ["a-0", "a-1", "b-0", "b-1"]


@pytest.mark.parametrize(
    ("labels", "value", "expected"),
    [
        ("first_error", -1, (True, True, True)),
        ("first_error", 1, (True, False, None)),
        ("error_steps", [], (True, True, True)),
        ("error_steps", [1, 3], (False, True, False)),
        ("error_steps", [3, 9], (True, True, False)),
        ("signs", [1, -1, 0], (True, False, None)),
        ("signs", ["+", "-", "+"], (True, False, True)),
        ("flags", [True, 0, 1], (True, False, True)),
    ],
)
def test_labels_are_read(labels: str, value: object, expected: tuple[bool | None, ...]) -> None:
    assert READERS[labels].read(value, 3)[0] == expected


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ("first_error", 3),
        ("first_error", -2),
        ("first_error", "1"),
        ("first_error", True),
        ("first_error", 0.0),
        ("error_steps", [0]),
        ("error_steps", 2),
        ("error_steps", ["2"]),
        ("signs", [1, 1]),
        ("signs", [1, 1, 2]),
        ("signs", [True, True, True]),
        ("flags", [1, -1, 1]),
    ],
)
def test_labels_of_another_kind_are_refused_with_file_and_line(tmp_path: Path, labels: str, value: object) -> None:
    path = lines(tmp_path / "a.jsonl", [{**ROW, "id": "b", "steps": ["x"] * 3, "label": value}])
    text = message(task(path, "labelled", f"task.labels={labels}"))
    assert text.startswith(f"task.labels={labels}: {path}:1: ")
    assert f"it expects {READERS[labels].expects}" in text


@given(st.lists(st.booleans(), min_size=1, max_size=9))
def test_all_ways_to_write_labels_say_the_same(right: list[bool]) -> None:
    steps = len(right)
    first = right.index(False) if False in right else -1
    whole = READERS["flags"].read(right, steps)[0]
    assert READERS["signs"].read([1 if one else -1 for one in right], steps)[0] == whole
    assert READERS["error_steps"].read([n for n, one in enumerate(right, 1) if not one], steps)[0] == whole
    start = READERS["first_error"].read(first, steps)[0]
    assert [label for label in start if label is not None] == list(whole[: len(whole) if first < 0 else first + 1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": []}, "the steps must be a list of texts that is not empty"),
        ({"steps": "It is 3."}, "the steps must be a list of texts"),
        ({"steps": ["It is 3.", 4]}, "the steps must be a list of texts"),
        ({"steps": None}, "no steps: looked for the field 'steps'; name the right one"),
        ({"label": None}, "no label: looked for the field 'label'"),
        ({"problem": ""}, "the question must be a text"),
        ({"id": "first"}, "the id 'first' was already used"),
    ],
)
def test_bad_rows_are_named_with_file_and_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = lines(tmp_path / "a.jsonl", [{**ROW, "id": "first"}, {**ROW, **change}])
    text = message(task(path))
    assert f"{path}:2: " in text
    assert says in text


def test_wrong_paths_and_fields_are_named(tmp_path: Path) -> None:
    first = lines(tmp_path / "a" / "test.jsonl", [ROW])
    second = lines(tmp_path / "b" / "test.jsonl", [{**ROW, "id": "b"}])
    assert "several files give the subset 'test'" in message(task([first, second]))
    third = lines(tmp_path / "b" / "other.jsonl", [ROW])
    assert f"{third}:1: the id 'a' was already used at {first}:1" in message(task([first, third]))
    (tmp_path / "empty").mkdir()
    assert "holds no data files" in message(task(tmp_path / "empty"))
    assert "there is no data file" in message(task(tmp_path / "none.jsonl"))
    assert "task.path=[]: it names no file" in message(task(None, "processbench", "task.path=[]"))
    with pytest.raises(
        InstantiationException,
        match=r"fields\.answer.*no such setting; choose one of id, question, messages",
    ):
        task(first, "processbench", "+task.fields.answer=x")
    assert "holds no problems" in message(task(lines(tmp_path / "e.jsonl", [])))


def test_processbench_as_it_is(shared_data: Path) -> None:
    made = task(shared_data / "processbench")
    made.check()
    found = Counter((one.subset, False in one.labels) for one in made.solutions())
    assert found == {("gsm8k", True): 207, ("gsm8k", False): 193, ("math", True): 594, ("math", False): 406}


def test_prmbench_as_it_is(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = task(shared_data / "prmbench", "prmbench")
    with caplog.at_level(logging.WARNING):
        made.check()
    # Upstream does not see steps that are not there either.
    assert "21 rows label steps that the solution does not have" in caplog.text
    found = list(made.solutions())
    assert found[0].problem.id == "circular_prm_test_p1_0"
    assert found[0].labels == (True, True, False, False, False, True, True)
    assert all(one.complete for one in found)
    assert Counter(one.subset for one in found) == {
        "circular": 90,
        "confidence": 90,
        "counterfactual": 90,
        "deception": 88,
        "domain_inconsistency": 90,
        "missing_condition": 90,
        "redundency": 90,
        "step_contradiction": 90,
    }
