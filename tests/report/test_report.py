"""The command: what it reads, refuses, prints and writes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.report import write_run
from tests.report.conftest import Report, change, records, rewrite
from tts.report.curves import RULE_NAMES
from tts.report.runs import read
from tts.report.sources import Source, find


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_pays_for_all_that_its_search_used(grid: Path, tmp_path: Path, report: Report) -> None:
    for name in ("n2k1", "drafted"):
        shutil.copytree(grid / "n2k1", tmp_path / name)
    spent = {"calls": 1, "samples": 1, "verifications": 1, "prompt_tokens": 30, "completion_tokens": 500}
    spent |= {"code_executions": 7, "flops": 1e12, "dollars": 0.25}
    rows = records(tmp_path / "n2k1")
    rewrite(tmp_path / "drafted", [{**row, "usage": {**row["usage"], "draft": spent, "grader": spent}} for row in rows])
    report(tmp_path)
    runs = {row["run"]: row for row in table(tmp_path) if row["kind"] == "run" and row["bin"] == "all"}
    more = {"all_tokens": 530, "tokens": 500, "prompt_tokens": 30, "flops": 1e12, "dollars": 0.25, "code_executions": 7}
    for unit, amount in more.items():
        plain = float(runs["n2k1"][unit] or 0)  # without prices the dollars are unknown
        assert float(runs["drafted"][unit]) == pytest.approx(plain + amount, rel=1e-4)
    for unit in ("policy_tokens", "verifier_tokens", "samples", "verifications"):
        assert runs["drafted"][unit] == runs["n2k1"][unit]


def test_the_csv_has_what_the_records_say(grid: Path, tmp_path: Path, report: Report) -> None:
    status, printed = report(grid, "--out", tmp_path)
    assert status == 0
    rows = table(tmp_path)
    runs = {row["run"]: row for row in rows if row["kind"] == "run" and row["bin"] == "all"}
    assert sorted(runs) == sorted(path.name for path in grid.iterdir())
    for name, row in runs.items():
        held = records(grid / name)
        assert float(row["value"]) == pytest.approx(sum(r["correct"] for r in held) / 20)
        assert float(row["majority"]) == pytest.approx(sum(r["majority_correct"] for r in held) / 20)
        tokens = [sum(part["completion_tokens"] for part in r["usage"].values()) for r in held]
        assert float(row["tokens"]) == pytest.approx(sum(tokens) / 20)
        assert float(row["seconds"]) == 5.0
        assert f"BestOfN n={name[1]} votes={name[3]}" in printed
    assert len([row for row in rows if row["kind"] == "difference"]) == 15
    [largest] = [
        row for row in rows if row["kind"] == "estimate" and (row["rule"], row["n"], row["k"]) == ("argmax", "4", "2")
    ]
    assert float(largest["value"]) == pytest.approx(float(runs["n4k2"]["value"]))


@pytest.mark.parametrize("selection", ["loudest", None])
def test_a_strategy_with_a_rule_of_its_own_has_no_surface_from_its_pool(
    grid: Path, tmp_path: Path, report: Report, selection: str | None
) -> None:
    shutil.copytree(grid / "n4k2", tmp_path / "run")
    search = {"_target_": "mine.Loudest", "n": 4, "selection": selection}
    change(tmp_path / "run" / ".hydra" / "config.yaml", search=search)
    status, printed = report(tmp_path)
    assert (status, "N x K" in printed) == (0, False)
    assert {row["rule"] for row in table(tmp_path) if row["kind"] == "estimate"} == set(RULE_NAMES)


def test_one_pool_a_family_whatever_the_number_of_processes(grid: Path) -> None:
    sources = find([grid], pytest.fail)
    alone, several = list(read(sources, 1)), list(read(sources, 2))
    assert [run.source.name for run in alone if run.pool is not None] == ["n4k2"]
    for a, b in zip(alone, several, strict=True):
        assert (a.source.name, a.rows, a.correct.tolist()) == (b.source.name, b.rows, b.correct.tolist())


def test_a_run_in_two_directories_counts_once(grid: Path) -> None:
    assert len(find([grid, grid / "n1k1"], lambda text: None)) == 6


def test_runs_over_different_problems_are_not_compared(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "a")
    shutil.copytree(grid / "n2k1", tmp_path / "b")
    rewrite(tmp_path / "b", [{**row, "question": "another one"} for row in records(tmp_path / "b")])
    status, printed = report(tmp_path)
    assert (status, "2 different sets of problems" in printed) == (0, True)
    assert [row for row in table(tmp_path) if row["kind"] == "difference"] == []


def test_failed_problems_are_counted_and_left_out_of_rates(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n4k1", tmp_path / "run")
    rows = records(tmp_path / "run")
    empty = {"solutions": [], "chosen": None, "prediction": None, "correct": None, "majority_correct": None}
    right = [number for number, row in enumerate(rows) if row["correct"]]
    rows[right[0]] |= {**empty, "error": "the server went away"}
    rewrite(tmp_path / "run", rows)
    status, printed = report(tmp_path)
    [run] = [row for row in table(tmp_path) if row["kind"] == "run" and row["bin"] == "all"]
    assert (status, run["errors"], run["problems"]) == (0, "1", "19")
    assert float(run["value"]) == pytest.approx((len(right) - 1) / 19, rel=1e-4)
    assert float(run["accuracy_errors_wrong"]) == pytest.approx((len(right) - 1) / 20)
    assert "if counted as wrong, the accuracy is: n4k1" not in printed
    assert f"{(len(right) - 1) / 20:.3f}" in printed


def test_the_levels_of_a_task_are_its_bins(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "run")
    rewrite(tmp_path / "run", [{**row, "level": 1 + i % 5} for i, row in enumerate(records(tmp_path / "run"))])
    report(tmp_path)
    bins = {row["bin"]: row["problems"] for row in table(tmp_path) if row["kind"] == "run"}
    assert bins == {"all": "20", **{f"level {level}": "4" for level in range(1, 6)}}


def test_what_is_torn_or_missing_is_said_and_the_rest_goes_on(grid: Path, tmp_path: Path, report: Report) -> None:
    for name in ("n1k1", "n2k1", "n4k1"):
        shutil.copytree(grid / name, tmp_path / name)
    path = tmp_path / "n1k1" / "results.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:18], lines[0], lines[19][:100]]))
    (tmp_path / "n2k1" / "summary.json").unlink()
    (tmp_path / "n4k1" / ".hydra" / "config.yaml").write_text("search: [")
    (tmp_path / "empty").mkdir()
    status, printed = report(tmp_path, tmp_path / "empty")
    assert status == 0
    assert "n1k1: results.jsonl, line 19: left out, line 1 already has its problem" in printed
    assert "n1k1: results.jsonl, line 20: left out, it is not a complete record" in printed
    assert "n2k1: left out, it has no readable summary.json" in printed
    assert "empty: no further run below it" in printed
    assert {row["run"] for row in table(tmp_path) if row["kind"] == "run"} == {"n1k1", "n4k1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such directory"),
        (["."], "no finished run below it; a run directory holds results.jsonl and summary.json"),
        ([".", "--trees", "-1"], "--trees -1: a size in megabytes"),
    ],
)
def test_mistakes_have_one_message(tmp_path: Path, report: Report, arguments: list[str], message: str) -> None:
    status, printed = report(tmp_path / arguments[0], *arguments[1:])
    assert (status, message in printed, printed.count("\n")) == (2, True, 1)


def test_foreign_text_is_text(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n2k1", tmp_path / "run")
    shutil.copytree(grid / "n1k1", tmp_path / "other")
    evil = "</script><script>alert(1)</script>"
    (tmp_path / "run" / ".hydra" / "overrides.yaml").write_text(json.dumps(["search.n=2", f"[red]{evil}[/nonsense]"]))
    rewrite(tmp_path / "run", [{**row, "level": f"[b]{evil}"} for row in records(tmp_path / "run")])
    status, printed = report(tmp_path)
    assert (status, f"[red]{evil}[/nonsense]" in printed) == (0, True)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert evil not in page
    assert "\\u003c/script>\\u003cscript>alert(1)" in page
    assert len(re.findall("<script", page)) == len(re.findall("</script>", page))


def test_the_page_holds_as_many_trees_as_asked_for(grid: Path, tmp_path: Path, report: Report) -> None:
    sizes = {}
    for megabytes in (0, 0.02, 100):
        report(grid, "--out", tmp_path, "--trees", megabytes)
        page = (tmp_path / "report.html").read_text("utf-8")
        sizes[megabytes] = len(page)
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert sizes[0] < sizes[0.02] < sizes[100]


EMPTY = {"solutions": [], "chosen": None, "prediction": None}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"answer": None, "correct": None, "majority_correct": None}, ""),
        ({**EMPTY, "correct": None, "majority_correct": None, "error": "no server"}, ""),
        ({**EMPTY, "correct": False, "majority_correct": False}, "0"),
    ],
    ids=["no reference answers", "all failed", "no candidates"],
)
def test_runs_without_anything_to_compare_are_reported_all_the_same(
    grid: Path, tmp_path: Path, report: Report, change: dict, shown: str
) -> None:
    for name in ("n4k1", "n4k2"):
        shutil.copytree(grid / name, tmp_path / name)
        rewrite(tmp_path / name, [{**row, **change} for row in records(tmp_path / name)])
    assert report(tmp_path)[0] == 0
    assert [row["value"] for row in table(tmp_path) if row["kind"] == "run" and row["bin"] == "all"] == [shown, shown]


def test_a_run_of_no_problems_is_no_comparison(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "run")
    rewrite(tmp_path / "run", [])
    status, printed = report(tmp_path)
    assert (status, "no run holds a complete record" in printed) == (2, True)


def test_curves_are_of_the_largest_run_wherever_it_stands(grid: Path, tmp_path: Path, report: Report) -> None:
    for number, name in enumerate(("n4k2", "n1k1", "n4k1", "n2k2")):
        shutil.copytree(grid / name, tmp_path / f"{number}-{name}")
    assert report(tmp_path)[0] == 0
    estimates = [row for row in table(tmp_path) if row["kind"] == "estimate"]
    assert {row["label"] for row in estimates} == {"BestOfN n=4 votes=2"}
    assert {row["n"] for row in estimates} == {"1", "2", "3", "4"}


def test_runs_that_compute_the_same_are_one_family(tmp_path: Path) -> None:
    """A cell of a sweep may be resumed and has a bank; a run of its own has neither."""
    shared: dict = {"search": {"_target_": "search.best_of_n.BestOfN", "n": 4}, "seed": 0}
    cell = Source(tmp_path, "a", {}, {**shared, "resume": True, "bank": {"path": "bank.sqlite"}}, ())
    alone = Source(tmp_path, "b", {}, {**shared, "resume": False, "bank": {"path": None}}, ())
    assert cell.family == alone.family
    other = {**shared, "search": {**shared["search"], "selection": "weighted_vote"}}
    assert Source(tmp_path, "c", {}, other, ()).family != alone.family


def test_a_table_says_how_many_lines_it_leaves_out(tmp_path: Path, report: Report) -> None:
    for number in range(12):
        run = tmp_path / f"run{number}"
        write_run(run, 0, 2, 2, 3, trees=False)
        config = json.loads((run / ".hydra" / "config.yaml").read_text())
        change(run / ".hydra" / "config.yaml", policy={**config["policy"], "temperature": number / 10})
    _, text = report(tmp_path, "--out", tmp_path / "out")
    lines = {
        (row["label"], row["rule"]) for row in table(tmp_path / "out") if row["kind"] == "estimate" and not row["k"]
    }
    assert len(lines) > 40
    assert f"... and {len(lines) - 40} more in report.csv" in text.partition("expected accuracy of n")[2]
