"""Runs against controls that cost as much, and each rule on a run's own candidates."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.conftest import Report, change, records, rewrite
from tests.report.test_report import table
from tts.core.selection import SELECTIONS, right_choice
from tts.report.comparison import Comparison, compare
from tts.report.equal_cost import EqualCost, equal_costs
from tts.report.estimates import families
from tts.report.runs import read
from tts.report.sources import find

PAIR = EqualCost(run=0, control="majority", n=4, bought=1, mean=0.02, low=-0.02, high=0.06, error=0.02, count=300)


def compared(folder: Path) -> Comparison:
    [comparison] = compare(list(read(find([folder], pytest.fail), 1)))
    return comparison


@pytest.mark.parametrize(
    ("mean", "low", "high", "error", "verdict"),
    [
        (0.05, 0.01, 0.09, 0.02, "better"),
        (-0.05, -0.09, -0.01, 0.02, "worse"),
        (1e-17, None, None, None, "the same on every problem"),
        (0.5, None, None, None, "not told apart: the difference is the same on every problem"),
        # (2.8016 * .02 / .02)**2 * 300 = 2355, and 2.8016 * .02 = .056
        (
            0.02, -0.02, 0.06, 0.02,
            "not told apart: 300 problems tell differences from 0.056; one of this size takes about 2,400",
        ),
        (0.0, -0.04, 0.04, 0.02, "not told apart: 300 problems tell differences from 0.056"),
    ],
)  # fmt: skip
def test_the_verdict_is_in_words(
    mean: float, low: float | None, high: float | None, error: float | None, verdict: str
) -> None:
    assert replace(PAIR, mean=mean, low=low, high=high, error=error).verdict == verdict


def test_a_search_that_is_best_of_n_is_no_better_than_best_of_n(grid: Path, tmp_path: Path) -> None:
    shutil.copytree(grid / "n4k2", tmp_path / "pool")
    shutil.copytree(grid / "n4k2", tmp_path / "search")
    change(tmp_path / "search" / ".hydra" / "config.yaml", search={"_target_": "mine.Search", "width": 4})
    change(tmp_path / "search" / "summary.json", guided=True)
    comparison = compared(tmp_path)
    found = {(comparison.runs[each.run].source.strategy, each.control): each for each in equal_costs(
        comparison, families(comparison)
    )}  # fmt: skip
    alone = found["Search", "best of n"]
    assert (alone.mean, alone.n, alone.bought) == (pytest.approx(0, abs=1e-9), pytest.approx(4), pytest.approx(1))
    # Votes are costs that self-consistency does not have: what it saves buys more samples than the pool has.
    votes = found["BestOfN", "self-consistency"]
    assert votes.n == 4
    assert votes.bought < 1
    run = next(run for run in comparison.runs if run.source.strategy == "BestOfN")
    assert votes.mean == pytest.approx((run.correct - run.majority).mean(), abs=0.05)
    assert ("BestOfN", "best of n") not in found


def test_problems_that_all_differ_by_the_same_tell_nothing_of_others(
    grid: Path, tmp_path: Path, report: Report
) -> None:
    for name in ("pool", "search"):
        shutil.copytree(grid / "n4k2", tmp_path / name)
    change(tmp_path / "search" / ".hydra" / "config.yaml", search={"_target_": "mine.Search", "width": 4})
    change(tmp_path / "search" / "summary.json", guided=True)
    rows = records(tmp_path / "search")
    wrong = next(row for row in rows if not row["majority_correct"])
    for name in ("pool", "search"):
        rewrite(tmp_path / name, [{**wrong, "correct": name == "search"}])
    assert report(tmp_path)[0] == 0
    found = [row for row in table(tmp_path) if row["kind"] == "equal_cost" and row["run"] == "search"]
    assert found
    for row in found:
        assert (row["low"], row["high"]) == ("", "")
        assert row["note"] == "not told apart: the difference is the same on every problem"


def test_what_costs_less_than_one_sample_or_is_no_result_is_not_compared(grid: Path, tmp_path: Path) -> None:
    shutil.copytree(grid / "n4k1", tmp_path / "pool")
    shutil.copytree(grid / "n1k1", tmp_path / "told")
    change(tmp_path / "told" / ".hydra" / "config.yaml", search={"_target_": "mine.Search"})
    change(tmp_path / "told" / "summary.json", reads_answers=True)
    comparison = compared(tmp_path)
    assert "told" not in {
        comparison.runs[each.run].source.name for each in equal_costs(comparison, families(comparison))
    }


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"temperature": 1.0}, False),
        ({"of": {"engine": {"model": "72B"}, "top_logprobs": 0}}, False),
        ({"of": {"engine": {"model": "7B"}, "top_logprobs": 20}}, True),
    ],
)
def test_a_control_is_of_the_same_policy_with_the_same_settings(
    grid: Path, tmp_path: Path, changes: dict[str, object], same: bool
) -> None:
    own = {
        "_target_": "Styled",
        "temperature": 0.5,
        "engine": None,
        "of": {"engine": {"model": "7B"}, "top_logprobs": 0},
    }
    for name, policy in (("pool", own), ("search", own | changes)):
        shutil.copytree(grid / "n4k2", tmp_path / name)
        change(tmp_path / name / ".hydra" / "config.yaml", policy=policy)
    change(tmp_path / "search" / ".hydra" / "config.yaml", search={"_target_": "mine.Search"})
    change(tmp_path / "search" / "summary.json", guided=True)
    comparison = compared(tmp_path)
    found = {comparison.runs[each.run].source.name for each in equal_costs(comparison, families(comparison))}
    assert ("search" in found) == same


def test_the_report_says_it_and_the_csv_holds_it(grid: Path, tmp_path: Path, report: Report) -> None:
    status, printed = report(grid, "--out", tmp_path)
    assert status == 0
    assert "accuracy minus that of self-consistency at equal cost" in printed
    assert "of a candidate" in printed
    rows = [row for row in table(tmp_path) if row["kind"] == "equal_cost"]
    assert {row["other"] for row in rows} == {"self-consistency"}
    assert all(row["note"] for row in rows)
    assert {row["kind"] for row in table(tmp_path)} >= {"equal_cost", "optimum", "rule"}


def test_each_rule_is_applied_to_the_runs_own_candidates(grid: Path, tmp_path: Path, report: Report) -> None:
    report(grid, "--out", tmp_path)
    rows = {(row["run"], row["rule"]): row for row in table(tmp_path) if row["kind"] == "rule" and not row["other"]}
    assert {rule for _, rule in rows} == set(SELECTIONS)
    for rule in SELECTIONS:
        outcomes = []
        for record in records(grid / "n4k2"):
            scores, groups, right = zip(
                *((s["score"], s["group"], s["correct"]) for s in record["solutions"]), strict=True
            )
            outcomes.append(right_choice(rule, SELECTIONS[rule](scores, groups), groups, right))
        assert float(rows["n4k2", rule]["value"]) == pytest.approx(sum(outcomes) / 20)
    assert float(rows["n4k2", "argmax"]["value"]) == pytest.approx(
        sum(r["correct"] for r in records(grid / "n4k2")) / 20
    )
