"""A sweep of the judge, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.judge.helpers import TOLD, judge, rows, summary, write
from tts.judge.curve.__main__ import Run, main, names


def cell(folder: Path, data: Path, *overrides: str) -> None:
    """Runs a cell as Hydra does, which also keeps what it was told."""
    assert judge(folder, f"task.path={data}", *overrides)[0] == 0
    (folder / ".hydra").mkdir()
    (folder / ".hydra/overrides.yaml").write_text(json.dumps([f"task.path={data}", *overrides]))


def test_a_row_has_what_tells_a_run_from_the_others_its_figures_and_its_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    (tmp_path / "sweep").mkdir()
    data = write(tmp_path / "easy.jsonl", rows(6))
    for name, bad in (("b", "wrong"), ("a", "step")):
        cell(tmp_path / "sweep" / name, data, *TOLD, f"+verifier.bad={bad}")
    assert main([str(tmp_path / "sweep")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(word in lines[0] for word in ("error", "F1", "tokens out", "TFLOP"))
    told = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("+verifier.bad")}
    assert list(told) == ["+verifier.bad=step", "+verifier.bad=wrong"]
    for name, bad in (("b", "wrong"), ("a", "step")):
        found = summary(tmp_path / "sweep" / name)
        shown = told[f"+verifier.bad={bad}"]
        assert f"{100 * found['f1']:.1f}" == shown[2]
        assert str(found["verifier"]["completion_tokens"]) in shown
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no run of python -m tts.judge below it" in capsys.readouterr().out


def test_runs_that_only_folders_tell_apart_are_told_apart() -> None:
    found = {"verifier": {"verifications": 1}, "count_weighted": {}}
    told = [
        ["task.path=[here/a.json,here/b.json]", "verifier.path=one/s.jsonl"],
        ["task.path=[here/a.json,here/b.json]", "verifier.path=two/s.jsonl"],
        ["task.path=there/b.json", "verifier.path=two/s.jsonl"],
    ]
    assert names([Run(overrides, found) for overrides in told]) == [" ".join(overrides) for overrides in told]
    assert names([Run(overrides, found) for overrides in told[1:]]) == ["task.path=[a.json,b.json]", "task.path=b.json"]


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "[" * 100_000, '"count_weighted"'])
def test_summaries_that_do_not_read_are_passed_over(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").write_text(content)
    assert main([str(tmp_path)]) == 2
    assert "no run of python -m tts.judge below it" in " ".join(capsys.readouterr().out.split())
