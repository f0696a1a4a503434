"""Budgets, virtual time, traces and interruption, as users meet them on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import program
from tests.signals import heeded

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PLANNED = ("experiment=simulated", "task.limit=12", "search.n=4")


def command(folder: Path, *overrides: str) -> list[str]:
    return ["-m", "tts", f"hydra.run.dir={folder}", *PLANNED, *overrides]


def tts(folder: Path, *overrides: str, module: str = "tts") -> subprocess.CompletedProcess[str]:
    result = program.run(*command(folder, *overrides), folder=ROOT)
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    return result


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text())


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("search", ["best_of_n", "beam"])
def test_virtual_time_is_exact_and_trees_explain_the_choices(tmp_path: Path, search: str) -> None:
    overrides = [f"search={search}", "verifier.votes=2", *(["search.width=2"] if search == "beam" else [])]
    for name in ("first", "second"):
        assert tts(tmp_path / name, *overrides).returncode == 0
    # Also the times are the same, to the last digit.
    assert (tmp_path / "first" / "results.jsonl").read_bytes() == (tmp_path / "second" / "results.jsonl").read_bytes()
    assert summary(tmp_path / "first")["wall_s"] > 10
    trace = program.run("-m", "tts.trace", str(tmp_path / "first"), folder=ROOT)
    assert (trace.returncode, trace.stdout.split()[0]) == (0, "12"), trace.stdout


@pytest.mark.parametrize(
    ("limit", "spent"),
    [
        ("tokens=3000", lambda u: u["policy"]["completion_tokens"] + u["verifier"]["completion_tokens"]),
        ("verifier_tokens=2000", lambda u: u["verifier"]["completion_tokens"]),
        ("calls=20", lambda u: u["policy"]["calls"] + u["verifier"]["calls"]),
    ],
)
def test_a_problem_s_limit_ends_its_search_with_the_best_so_far(tmp_path: Path, limit: str, spent: Any) -> None:
    whole = tmp_path / "whole"
    tts(whole)
    result = tts(tmp_path / "limited", f"budget.problem.{limit}")
    assert result.returncode == 0, result.stdout
    name, bound = limit.split("=")
    found = records(tmp_path / "limited")
    assert len(found) == 12
    for record, unlimited in zip(found, records(whole), strict=True):
        if record["limits_hit"]:
            assert record["limits_hit"] == [f"problem.{name}"]
            assert spent(unlimited["usage"]) > spent(record["usage"]) >= int(bound)
        assert record["error"] is None
        assert record["prediction"] is not None
    hit = summary(tmp_path / "limited")
    assert hit["limits_hit"] == [f"problem.{name}"]
    assert hit["n_limited"] == sum(bool(record["limits_hit"]) for record in found) > 0
    assert f"cut short by problem.{name}" in result.stdout


def test_a_run_s_limit_ends_it_early_and_says_so(tmp_path: Path) -> None:
    prices = [f"{role}.engine.{kind}_price=2.0" for role in ("policy", "verifier") for kind in ("prompt", "completion")]
    result = tts(tmp_path / "run", "budget.run.dollars=0.1", "in_flight.problems=2", *prices)
    assert result.returncode == 0, result.stdout
    done = summary(tmp_path / "run")
    assert 0 < done["n_problems"] == len(records(tmp_path / "run")) < 12
    assert done["limits_hit"] == ["run.dollars"]
    assert done["dollars"] >= 0.1
    tokens = sum(done[role][kind] for role in ("policy", "verifier") for kind in ("prompt_tokens", "completion_tokens"))
    assert done["dollars"] == pytest.approx(2e-6 * tokens)
    assert f"the limit run.dollars ended the run after {done['n_problems']} of 12 problems" in result.stdout


def test_a_time_limit_cuts_what_is_in_flight(tmp_path: Path) -> None:
    assert tts(tmp_path / "run", "budget.problem.seconds=8", "in_flight.problems=12").returncode == 0
    for record in records(tmp_path / "run"):
        assert record["wall_s"] <= 8.001
        assert record["error"] is None
    assert summary(tmp_path / "run")["limits_hit"] == ["problem.seconds"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["budget.problem.tokens=0"], "budget.problem.tokens=0: at least 1 is needed, or null"),
        (["budget.problem.tokens=-5"], "tokens=-5"),
        (
            ["budget.problem.tokens=10", "budget.problem.policy_tokens=20"],
            "budget.problem.policy_tokens=20: it can never",
        ),
        (
            ["budget.problem.calls=9", "budget.run.calls=5"],
            "budget.problem.calls=9: it can never be reached: run.calls=5",
        ),
        (["budget.run.dollars=1"], "the prices of policy are not known; set policy.engine.prompt_price"),
        (["budget.run.flops=1e9", "policy.engine.parameters=null"], "set policy.engine.parameters"),
        (["+budget.problem.token=5"], "did you mean 'tokens'?"),
        (["budget.problem.tokens=many"], "budget.problem.tokens=many: a whole number or null is needed"),
        (["in_flight.verifier=0"], "in_flight.verifier=0"),
        (["in_flight.policy=some"], "in_flight.policy=some"),
        (["clock=slow"], "clock=slow: choose one of real, virtual"),
    ],
)
def test_mistakes_are_told_before_anything_is_spent(tmp_path: Path, overrides: list[str], message: str) -> None:
    result = tts(tmp_path / "run", *overrides)
    assert result.returncode == 2, result.stdout
    assert message in result.stdout + result.stderr
    assert not (tmp_path / "run" / "results.jsonl").exists()


def test_ctrl_c_keeps_and_sums_up_what_was_finished(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = command(
        folder, "clock=real", "in_flight.problems=3", "policy.engine.tick_base=0.002", "verifier.engine.tick_base=0.001"
    )

    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *run], cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=heeded
    ) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (folder.joinpath("results.jsonl").exists() and records(folder)):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted; finished problems are kept" in errors
    done = summary(folder)
    assert 0 < done["n_problems"] == len(records(folder)) < 12
    order = [record["id"] for record in records(folder)]
    assert len(set(order)) == len(order)
