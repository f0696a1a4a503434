"""A small recipe of a user's own through the command line: recorded solutions, labelled and judged by a calculator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tts.cli.main import main
from tts.recipe.recipe import names

RECIPE = """\
about: two stages without a model
settings:
  problems: ???
  judge: calculator
stages:
  labels:
    command: label
    task: jsonl
    task.path: ${problems}
    policy: recorded
    policy.path: ${problems}
    sampling: all
    sampling.first: 2
    rule: judge
    completions: none
    verifier: calculator
    sandbox: none
  judge:
    command: judge
    task: labels
    task.path: ${folder.labels}/labels.jsonl
    verifier: ${judge}
    sandbox: none
sizes:
  published:
    later:
      labels: {seed: "${round}"}
      judge: {verifier: always_correct}
"""
FILES = ("labels/labels.jsonl", "labels/results.jsonl", "judge/results.jsonl")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    solutions = [{"steps": ["1 + 1 = 2.", f"2 + 2 = {end}. The answer is \\boxed{{{end}}}."]} for end in (4, 5)]
    row = {"id": "a", "question": "1 + 1 + 2?", "answer": "4", "solutions": solutions}
    (tmp_path / "problems.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (tmp_path / "mine.yaml").write_text(RECIPE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return ["mine.yaml", "problems=problems.jsonl", "dir=run"]


def summary(path: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(Path(path, "summary.json").read_text("utf-8"))
    return found


def rows(name: str) -> list[object]:
    """Returns the rows of a file, apart from times."""

    def timeless(row: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in row.items() if key not in ("wall_s", "ended_at")}

    return [json.loads(line, object_hook=timeless) for line in Path("run", name).read_text("utf-8").splitlines()]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return (found.out + found.err).replace("\n", " ")


def test_the_stages_run_in_order_and_the_same_command_goes_on(
    recipe: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipe", *recipe]) == 0
    assert summary("run/judge")["f1"] == 1.0
    assert "1 of 2: labels" in said(capsys)
    before = [rows(name) for name in FILES]
    Path("run/judge/results.jsonl").unlink()
    Path("run/judge/summary.json").unlink()
    assert main(["recipe", *recipe]) == 0
    text = said(capsys)
    assert "finished before: " in text
    assert "finished before: run/judge" not in text
    assert [rows(name) for name in FILES] == before


def test_a_stage_that_fails_ends_it_and_the_message_says_how_to_go_on(
    recipe: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    problems = Path("problems.jsonl").read_text("utf-8")
    Path("problems.jsonl").write_text("no rows", "utf-8")
    assert main(["recipe", *recipe]) == 2
    text = said(capsys)
    assert "stage labels failed (exit status 2); when that is mended: tts recipe mine.yaml" in text
    assert "dir=run" in text
    assert not Path("run/judge").exists()
    Path("problems.jsonl").write_text(problems, "utf-8")
    assert main(["recipe", *recipe]) == 0


def test_a_folder_of_other_settings_is_refused_and_its_later_stages_can_be_made_anew(
    recipe: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipe", *recipe]) == 0
    assert main(["recipe", *recipe, "judge=always_correct"]) == 2
    assert "run/judge: holds a stage of other settings or input" in (text := said(capsys))
    assert "rm -r run/judge" in text
    assert main(["recipe", *recipe, "labels.verifier=always_correct"]) == 2
    assert "rm -r run/labels run/judge" in said(capsys)
    assert summary("run/judge")["f1"] == 1.0
    shutil.rmtree("run/judge")
    assert main(["recipe", *recipe, "judge=always_correct"]) == 0
    assert summary("run/judge")["f1"] == 0.0


def test_a_dry_run_plans_what_can_be_planned_and_writes_nothing(
    recipe: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipe", *recipe, "dry_run=true"]) == 0
    text = said(capsys)
    assert "2 solutions to label" in text
    assert "for one solution of 10 steps; there are at most 2:" in text
    assert not Path("run/labels/labels.jsonl").exists()
    assert main(["recipe", *recipe]) == 0
    assert main(["recipe", *recipe, "dry_run=true"]) == 0
    assert "2 solutions, 4 steps" in said(capsys)


def test_rounds_end_when_the_held_out_figure_grows_no_more(
    recipe: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipe", "iterate", *recipe, "rounds=5", "patience=2"]) == 0
    told = json.loads(Path("run/rounds.json").read_text("utf-8"))
    assert [one["f1"] for one in told["rounds"]] == [1.0, 0.0, 0.0]
    assert told["best"] == 1
    assert "best: run/round_1/train/model" in said(capsys)
    assert main(["recipe", "iterate", *recipe, "rounds=5", "patience=1"]) == 0
    assert [one["f1"] for one in json.loads(Path("run/rounds.json").read_text("utf-8"))["rounds"]] == [1.0, 0.0]
    assert main(["recipe", "iterate", "math-shepherd", "size=embedded"]) == 2
    assert "does not say what later rounds do" in said(capsys)


def test_the_help_names_every_recipe_and_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe"]) == 0
    text = said(capsys)
    assert all(name in text for name in names())
    assert main(["recipe", "genprm", "--help"]) == 0
    assert "stage rationales: tts synthesize" in said(capsys)
