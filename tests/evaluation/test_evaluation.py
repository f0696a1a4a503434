"""What an evaluation shows and reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tts
from tests.evaluation.test_calls import PLANNED, Problems


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluation") / "run"
    tts.evaluate(*PLANNED, limit=4, n=3, votes=2, folder=place)
    return place


def copied(folder: Path, place: Path, results: str | None = None, summary: str | None = None) -> Path:
    for name, text in (("results.jsonl", results), ("summary.json", summary)):
        (place / name).write_text((folder / name).read_text("utf-8") if text is None else text, "utf-8")
    return place


def test_a_folder_is_loaded_as_it_was_returned(folder: Path, tmp_path: Path) -> None:
    returned = tts.evaluate(*PLANNED, limit=4, n=3, votes=2, folder=tmp_path / "run")
    loaded = tts.load(str(folder))
    assert loaded.records == returned.records
    assert loaded.summary == returned.summary
    assert str(loaded).splitlines()[1:] == str(returned).splitlines()[1:]
    assert loaded.title == "run"
    first = loaded.records[0]["id"]
    assert loaded.tree(first) == returned.tree(first)
    assert loaded.accuracy == loaded.summary["accuracy"] == sum(one["correct"] for one in loaded.records) / 4


def test_trees_that_are_not_there(folder: Path) -> None:
    with pytest.raises(tts.UserError, match="no tree of problem 'none'"):
        tts.load(folder).tree("none")
    with pytest.raises(tts.UserError, match="folder='DIR'"):
        tts.evaluate(*PLANNED, limit=1, n=1).tree("none")


def test_a_table_has_a_row_a_problem(folder: Path) -> None:
    evaluation = tts.load(folder)
    table = evaluation.to_pandas()
    assert list(table["id"]) == [record["id"] for record in evaluation.records]
    assert table.to_dict("records")[0].keys() == next(iter(evaluation.rows())).keys()
    assert table["correct"].mean() == evaluation.accuracy
    assert table["policy_tokens"].sum() == evaluation.summary["policy"]["completion_tokens"]
    assert table["verifier_tokens"].sum() == evaluation.summary["verifier"]["completion_tokens"]
    assert table["candidates"].tolist() == [3] * 4
    assert table["candidates_correct"].sum() / table["candidates"].sum() == evaluation.summary["pass_at_1"]
    for record, row in zip(evaluation.records, evaluation.rows(), strict=True):
        assert row["score"] == record["solutions"][record["chosen"]]["score"]
        assert (row["error"], row["limits_hit"]) == (None, "")


@pytest.mark.parametrize(
    ("package", "method", "extra"), [("pandas", "to_pandas", "pandas"), ("datasets", "to_dataset", "hub")]
)
def test_what_is_not_installed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, method: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tts.UserError, match=rf"'{package}': pip install 'tts-search\[{extra}\]'"):
        getattr(tts.load(folder), method)()


def test_what_is_no_finished_run_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(tts.UserError, match="nowhere: no such directory"):
        tts.load(tmp_path / "nowhere")
    with pytest.raises(tts.UserError, match=r"it has no results.jsonl$"):
        tts.load(tmp_path)
    with pytest.raises(tts.UserError, match=r"there are runs below it: run$"):
        tts.load(folder.parent)
    copied(folder, tmp_path)
    (tmp_path / "summary.json").unlink()
    with pytest.raises(tts.UserError, match="the run is not finished"):
        tts.load(tmp_path)


@pytest.mark.parametrize(
    ("results", "summary", "message"),
    [
        (None, '{"f1": 0.5}', "the run of another command"),
        (None, '{"accuracy": ', "summary.json: damaged"),
        (None, "[]", "summary.json: damaged: an object is needed"),
        ('{"id": 1}\n{"id": \n', None, "results.jsonl:2: damaged"),
        ('{"id": 1}\n3\n', None, "results.jsonl:2: damaged: an object is needed, not 3"),
    ],
)
def test_what_is_damaged_is_named(
    folder: Path, tmp_path: Path, results: str | None, summary: str | None, message: str
) -> None:
    with pytest.raises(tts.UserError, match=message):
        tts.load(copied(folder, tmp_path, results, summary))


def failed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    error = "<script>alert(1)</script> & " + "a long story " * 20
    return [{**record, "error": error, "solutions": [], "chosen": None, "prediction": None} for record in records]


def test_it_prints_in_80_columns(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    whole = tts.load(folder)
    assert repr(whole) == str(whole)
    assert "this search" in str(whole)
    lines = "\n".join(json.dumps(record) for record in failed(whole.records))
    for text in (str(whole), str(tts.load(copied(folder, tmp_path, lines)))):
        assert max(map(len, text.splitlines())) <= 80
        assert "\x1b" not in text
    assert "4 of 4 problems ended with an error" in text
    titled = tts.Evaluation(whole.summary, whole.records, title="a long title " * 20)
    assert max(map(len, str(titled).splitlines())) <= 80


def test_its_html_shows_texts_as_texts(folder: Path, tmp_path: Path) -> None:
    whole = tts.load(folder)
    lines = "\n".join(json.dumps(record) for record in failed(whole.records))
    html = tts.load(copied(folder, tmp_path, lines))._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    titled = tts.Evaluation(whole.summary, whole.records, title="<b>bold</b>")
    assert "&lt;b&gt;bold" in titled._repr_html_()
    assert "this search" in titled._repr_html_()


def test_no_problems_and_no_answers_are_shown(tmp_path: Path) -> None:
    empty = tts.evaluate(PLANNED[0], task=Problems(), n=1, folder=tmp_path / "run")
    assert len(empty) == 0
    assert empty.accuracy is None
    assert "policy" in str(tts.load(tmp_path / "run"))
    assert empty.to_pandas().empty
