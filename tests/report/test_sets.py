"""Which runs are compared over which problems, which of them are one, and what a reader is told of them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.conftest import Report, change, records, rewrite, seeded
from tts.report.comparison import Comparison, compare
from tts.report.estimates import families
from tts.report.runs import read
from tts.report.sources import find


def compared(folder: Path) -> list[Comparison]:
    return compare(list(read(find([folder], lambda text: None), 1)))


def rows(folder: Path, kind: str) -> list[dict[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind and row["bin"] in ("", "all")]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Three seeds of N = 4, two of N = 2."""
    for n, seed in ((4, 0), (4, 1), (4, 2), (2, 0), (2, 2)):
        seeded(tmp_path, f"n{n}s{seed}", seed, n)
    return tmp_path


def test_runs_that_differ_in_their_seed_alone_are_one(seeds: Path, report: Report) -> None:
    status, printed = report(seeds)
    assert status == 0
    assert "BestOfN n=4 [3 seeds]" in printed
    assert "Not every run has all of the 3 seeds: BestOfN n=2 [2 seeds] lacks 1" in printed
    runs = {row["n"]: row for row in rows(seeds, "run")}
    assert {n: (row["seed"], row["problems"]) for n, row in runs.items()} == {"2": ("0 2", "20"), "4": ("0 1 2", "20")}
    held = [[row["correct"] for row in records(seeds / f"n4s{seed}")] for seed in range(3)]
    assert float(runs["4"]["value"]) == pytest.approx(np.mean(held), rel=1e-4)
    single = {row["seed"]: float(row["value"]) for row in rows(seeds, "seed") if row["n"] == "4"}
    assert single == {str(seed): pytest.approx(np.mean(own)) for seed, own in enumerate(held)}
    [difference] = rows(seeds, "difference")
    assert (difference["problems"], difference["p"]) == ("20", "")


def test_a_run_over_seeds_has_the_means_of_its_seeds(seeds: Path) -> None:
    [comparison] = compared(seeds)
    [run] = [run for run in comparison.runs if run.source.n == 4]
    assert len(run.seeds) == 3
    for name in ("correct", "majority", "oracle", "share"):
        assert getattr(run, name) == pytest.approx(np.mean([getattr(part, name) for part in run.seeds], 0))
    assert comparison.mean_costs("tokens")[comparison.runs.index(run)] == 640.0
    [family] = families(comparison)
    [line] = [line for line in family.lines if line.rule == "pass_at"]
    assert line.estimates[0].mean == pytest.approx(run.share.mean())
    assert line.estimates[-1].mean == pytest.approx(run.oracle.mean())
    assert family.surface is not None
    assert family.surface.estimates[-1][-1].mean == pytest.approx(run.correct.mean())  # type: ignore[union-attr]


def test_failed_problems_of_a_seed_count_as_wrong_problem_by_problem(seeds: Path, report: Report) -> None:
    rewrite(seeds / "n4s1", records(seeds / "n4s1")[:12])
    held = records(seeds / "n2s0")
    right = next(number for number, row in enumerate(held) if row["correct"])
    empty = {"solutions": [], "chosen": None, "prediction": None, "correct": None, "majority_correct": None}
    rewrite(seeds / "n2s0", [{**row, **empty, "error": "gone"} if i == right else row for i, row in enumerate(held)])
    assert report(seeds)[0] == 0
    runs = {row["n"]: row for row in rows(seeds, "run")}
    # Nothing failed: there is nothing to count otherwise, though a seed lacks problems.
    assert (runs["4"]["errors"], runs["4"]["accuracy_errors_wrong"]) == ("0", runs["4"]["value"])
    others = [row["correct"] for row in records(seeds / "n2s2")]
    counted = np.mean([[row["correct"] and i != right for i, row in enumerate(held)], others])
    assert float(runs["2"]["accuracy_errors_wrong"]) == pytest.approx(counted, rel=1e-4)


def test_the_same_run_twice_is_no_repetition(seeds: Path) -> None:
    shutil.copytree(seeds / "n4s0", seeds / "again")
    [comparison] = compared(seeds)
    assert sorted(len(run.parts) for run in comparison.runs) == [1, 2, 3]


def test_a_run_that_lacks_problems_is_compared_over_those_that_it_has(
    grid: Path, tmp_path: Path, report: Report
) -> None:
    for name in ("n1k1", "n2k1", "n4k1"):
        shutil.copytree(grid / name, tmp_path / name)
    lines = (tmp_path / "n4k1" / "results.jsonl").read_text().splitlines()
    torn = [lines[5], *lines[:5], *lines[6:12], lines[12][:80]]  # 12 of them, in another order
    (tmp_path / "n4k1" / "results.jsonl").write_text("\n".join(torn))
    status, printed = report(tmp_path)
    assert (status, "different sets" in printed) == (0, False)
    assert "Not all of the 20 problems are in every run: BestOfN n=4 has 12." in printed
    held = {name: {row["id"]: row["correct"] for row in records(tmp_path / name)} for name in ("n1k1", "n2k1")}
    part = {row["id"]: row["correct"] for row in map(json.loads, torn[:-1])}
    runs = {row["run"]: row for row in rows(tmp_path, "run")}
    assert (runs["n4k1"]["problems"], runs["n4k1"]["on_front"], runs["n4k1"]["note"]) == ("12", "", "part")
    assert float(runs["n4k1"]["value"]) == pytest.approx(sum(part.values()) / 12, rel=1e-4)
    assert float(runs["n4k1"]["tokens"]) == 640.0
    [difference] = [row for row in rows(tmp_path, "difference") if {row["run"], row["other"]} == {"n1k1", "n4k1"}]
    gaps = [held["n1k1"][key] - right for key, right in part.items()]
    assert (difference["problems"], float(difference["value"])) == ("12", pytest.approx(sum(gaps) / 12, rel=1e-4))
    assert all(row["run"] != "n4k1" for row in rows(tmp_path, "choice"))


def test_problems_that_only_one_run_has_are_left_out_and_told(grid: Path, tmp_path: Path, report: Report) -> None:
    for name in ("n1k1", "n2k1", "n4k1"):
        shutil.copytree(grid / name, tmp_path / name)
    for name in ("n1k1", "n2k1"):
        rewrite(tmp_path / name, records(tmp_path / name)[:14])
    _, printed = report(tmp_path)
    assert "Problems other than the 14 are left out of every figure: BestOfN n=4 has 6 more." in printed
    runs = {row["run"]: row for row in rows(tmp_path, "run")}
    assert {name: row["note"] for name, row in runs.items()} == {"n1k1": "", "n2k1": "", "n4k1": "beyond"}
    held = [row["correct"] for row in records(tmp_path / "n4k1")[:14]]
    assert (runs["n4k1"]["problems"], float(runs["n4k1"]["value"])) == ("14", pytest.approx(sum(held) / 14, rel=1e-4))


def test_few_common_problems_make_no_comparison(grid: Path, tmp_path: Path) -> None:
    for name, keep in (("n1k1", slice(0, 12)), ("n2k1", slice(8, 20))):
        shutil.copytree(grid / name, tmp_path / name)
        rewrite(tmp_path / name, records(tmp_path / name)[keep])
    assert [len(comparison.problems) for comparison in compared(tmp_path)] == [12, 12]


@pytest.mark.parametrize(
    "summary",
    [
        {"resumed": 3},
        {
            "policy": {"completion_tokens": 100},
            "verifier": {"completion_tokens": 50},
            "generated": {"policy_tokens": 100, "verifier_tokens": 49},
        },
        {
            "policy": {"completion_tokens": 100},
            "draft": {"completion_tokens": 50, "generated_tokens": 49},
            "generated": {"policy_tokens": 100, "verifier_tokens": 0},
        },
    ],
)
def test_seconds_that_are_not_of_all_the_work_are_not_told(
    grid: Path, tmp_path: Path, report: Report, summary: dict[str, Any]
) -> None:
    for name in ("n1k1", "n2k1"):
        shutil.copytree(grid / name, tmp_path / name)
    change(tmp_path / "n2k1" / "summary.json", wall_s=0.001, **summary)
    _, printed = report(tmp_path)
    assert "Their seconds are left out: BestOfN n=2" in printed
    runs = {row["run"]: row for row in rows(tmp_path, "run")}
    assert (runs["n2k1"]["seconds"], runs["n2k1"]["latency_s"], runs["n2k1"]["note"]) == ("", "", "untimed")
    assert (runs["n1k1"]["seconds"], runs["n1k1"]["note"]) == ("5", "")
    assert "seconds" not in runs["n2k1"]["on_front"]
    assert {row["run"] for row in rows(tmp_path, "choice") if row["unit"] == "latency_s" and row["run"]} == set()


def test_a_search_that_was_told_the_answers_is_marked_and_wins_nothing(
    grid: Path, tmp_path: Path, report: Report
) -> None:
    for name in ("n1k1", "n2k1", "n4k1"):
        shutil.copytree(grid / name, tmp_path / name)
    rewrite(tmp_path / "n4k1", [{**row, "correct": True} for row in records(tmp_path / "n4k1")])
    change(tmp_path / "n4k1" / "summary.json", reads_answers=True)
    _, printed = report(tmp_path)
    assert "BestOfN n=4 [told the answers]" in printed
    assert "they are upper bounds, not results" in printed
    told = next(row for row in rows(tmp_path, "run") if row["run"] == "n4k1")
    assert (told["value"], told["on_front"], told["note"]) == ("1", "", "told")
    [comparison] = compared(tmp_path)
    assert comparison.best is not None
    assert not comparison.runs[comparison.best].source.told
    assert all(row["run"] != "n4k1" for row in rows(tmp_path, "choice"))


@pytest.mark.parametrize(("simulated", "said"), [("answers", "simulated answers"), ("time", "virtual time")])
def test_a_simulated_run_is_marked_and_wins_nothing(
    grid: Path, tmp_path: Path, report: Report, simulated: str, said: str
) -> None:
    for name in ("n1k1", "n2k1", "n4k1"):
        shutil.copytree(grid / name, tmp_path / name)
    rewrite(tmp_path / "n4k1", [{**row, "correct": True} for row in records(tmp_path / "n4k1")])
    change(tmp_path / "n4k1" / "summary.json", simulated=[simulated])
    _, printed = report(tmp_path)
    assert f"BestOfN n=4 [{said}]" in printed
    assert "so they are no results, and on no front" in printed
    marked = next(row for row in rows(tmp_path, "run") if row["run"] == "n4k1")
    assert (marked["value"], marked["on_front"], marked["note"]) == ("1", "", f"simulated_{simulated}")
    [comparison] = compared(tmp_path)
    assert comparison.best is not None
    assert not comparison.runs[comparison.best].source.marks
    assert all(row["run"] != "n4k1" for row in rows(tmp_path, "choice"))


def test_a_verifier_that_only_reads_has_a_cost(grid: Path, tmp_path: Path, report: Report) -> None:
    """Of two runs that write the same, the one whose verifier reads more is dearer: in tokens, or in FLOPs."""
    for name, tokens, flops in (("n1k1", 100, 1e9), ("n2k1", 900, 9e9)):
        shutil.copytree(grid / "n1k1", tmp_path / name)
        for row in (found := records(tmp_path / name)):
            row["correct"] = True
            row["usage"]["policy"].update(prompt_tokens=10, completion_tokens=50, flops=1e9)
            row["usage"]["verifier"].update(prompt_tokens=tokens, completion_tokens=0, flops=flops)
        rewrite(tmp_path / name, found)
        change(tmp_path / name / "summary.json", seed=0)
        config = tmp_path / name / ".hydra/config.yaml"
        config.write_text(config.read_text("utf-8") + f"\ntagged: {name}\n", "utf-8")
    [comparison] = compared(tmp_path)
    assert (comparison.axis, comparison.units[0]) == ("flops", "flops")
    assert [run.source.name for run in comparison.runs if run is comparison.runs[comparison.front("flops")[0]]] == [
        "n1k1"
    ]
    rewrite(tmp_path / "n2k1", [unsized(row) for row in records(tmp_path / "n2k1")])
    [comparison] = compared(tmp_path)
    assert comparison.axis == "all_tokens"
    assert comparison.mean_costs("all_tokens") == [160.0, 960.0]
    assert comparison.front("all_tokens") == [0]
    _, printed = report(tmp_path)
    assert "Pareto front of accuracy against prompt and completion tokens" in " ".join(printed.split())


def unsized(row: dict) -> dict:
    row["usage"]["verifier"]["flops"] = 0.0
    return row


def test_candidates_of_a_guided_search_are_not_called_samples(grid: Path, tmp_path: Path, report: Report) -> None:
    for name in ("n1k1", "n2k1"):
        shutil.copytree(grid / name, tmp_path / name)
    change(tmp_path / "n2k1" / "summary.json", guided=True)
    report(tmp_path)
    runs = {row["run"]: row for row in rows(tmp_path, "run")}
    assert (runs["n2k1"]["majority"], runs["n2k1"]["pass_at_1"]) == ("", "")
    assert all(runs[name]["oracle"] for name in runs)
    assert runs["n1k1"]["majority"]
    assert runs["n1k1"]["pass_at_1"]


@pytest.mark.parametrize("only_reads", [False, True])
@pytest.mark.parametrize(("unit", "role"), [("flops", "verifier"), ("dollars", "policy")])
def test_a_cost_that_is_not_known_is_not_none(
    grid: Path, tmp_path: Path, unit: str, role: str, only_reads: bool
) -> None:
    """An engine that does not tell its model's size, and one without prices, beside those that do."""
    for name, value in (("n1k1", 0.0), ("n2k1", 2.0)):
        shutil.copytree(grid / name, tmp_path / name)
        changed = records(tmp_path / name)
        for row in changed:
            row["usage"][role][unit] = value
            for used in row["usage"].values():
                used["completion_tokens"] *= not only_reads
        rewrite(tmp_path / name, changed)
    [comparison] = compared(tmp_path)
    unknown, known = comparison.mean_costs(unit)
    assert np.isnan(unknown)
    assert known >= 2.0
    assert comparison.front(unit) == [1]


def test_a_run_of_the_judge_is_named_as_one(grid: Path, tmp_path: Path, report: Report) -> None:
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "results.jsonl").write_text('{"id": "a", "scores": [0.5]}\n')
    (tmp_path / "judge" / "summary.json").write_text('{"f1": 0.5, "subsets": {}}')
    status, printed = report(tmp_path)
    assert (status, "it is a run of tts.judge" in printed, "no finished run below it" in printed) == (2, True, True)
    shutil.copytree(grid / "n1k1", tmp_path / "run")
    status, printed = report(tmp_path)
    assert (status, printed.count("warning")) == (0, 1)


def test_a_run_that_was_interrupted_says_so(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "run")
    (tmp_path / "run" / "status.json").write_text('{"state": "running"}')
    assert "its run did not finish" in report(tmp_path)[1]


def test_results_that_are_a_pipe_are_not_waited_for(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "n1k1")
    shutil.copytree(grid / "n1k1", tmp_path / "pipe")
    (tmp_path / "pipe" / "results.jsonl").unlink()
    os.mkfifo(tmp_path / "pipe" / "results.jsonl")
    status, printed = report(tmp_path)
    assert status == 0
    assert "pipe: left out" in printed


def test_a_cell_without_results_is_named_with_its_error(grid: Path, tmp_path: Path, report: Report) -> None:
    shutil.copytree(grid / "n1k1", tmp_path / "n1k1")
    for name, state in (("failed", {"state": "failed", "errors": ["no such model"]}), ("cut", {"state": "running"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text(json.dumps(state))
    status, printed = report(tmp_path)
    assert status == 0
    assert "failed: left out, it has no results: no such model" in printed
    assert "cut: left out, it has no results: its run did not finish" in printed
