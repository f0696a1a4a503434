"""`tts plan`: what it predicts, writes and says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tts
from tests.jobs import plan_job
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.planning.job import compose_plan
from tts.runtime.resources import Resources

# A few problems, that a handful of requests solve.
SMALL = ("task.size=12", "search.n=2", "verifier.engine.writer.more_code=0")


def plan(folder: Path, *overrides: str, width: int = 80) -> tuple[int, str, dict[str, Any]]:
    """Returns the exit status, what was printed, and the contents of `plan.json`."""
    config, identity = configuration("plan", [*SMALL, "policy.engine.writer.steps=[1,3]", *overrides])
    folder.mkdir(exist_ok=True)
    console = Console(file=io.StringIO(), width=width)
    status = plan_job(dict(config), identity, folder, console)
    path = folder / "plan.json"
    made = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return status, console.file.getvalue(), made  # type: ignore[attr-defined]


def evaluated(folder: Path | None, *overrides: str) -> dict[str, Any]:
    """Returns the summary of a simulated run."""
    return tts.evaluate("experiment=simulated", *SMALL, *overrides, folder=folder).summary


@pytest.mark.integration
def test_few_problems_take_exactly_what_the_simulated_run_takes(tmp_path: Path) -> None:
    status, said, made = plan(tmp_path, "gpus=3", "task.limit=6")
    assert status == 0
    assert made["exact"]
    for row in made["divisions"]:
        replicas = [f"{role}.engine.replicas={number}" for role, number in row["replicas"].items()]
        assert row["wall_s"] == evaluated(None, "task.limit=6", "policy.engine.writer.steps=[1,3]", *replicas)["wall_s"]
        assert row["problems_per_hour"] == pytest.approx(6 * 3600 / row["wall_s"])
        assert all(0 < share <= 1 for share in row["utilisation"].values())
        assert row["bound_s"] <= row["wall_s"]
    assert [row["replicas"] for row in made["divisions"]] == [
        {"policy": 1, "verifier": 2},
        {"policy": 2, "verifier": 1},
    ]
    assert made["best"] == min((0, 1), key=lambda at: made["divisions"][at]["wall_s"])
    assert all(len(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line), said
    assert said.count("* ") == 2  # the best row, and what is said of it


@pytest.mark.integration
def test_each_division_is_simulated_on_idle_replicas_with_empty_caches(tmp_path: Path) -> None:
    _, _, made = plan(tmp_path, "gpus=8", "gpus_per_replica.verifier=3", "task.limit=6")
    same = [row["replicas"]["verifier"] for row in made["divisions"]]
    assert len(set(same)) < len(same)  # replicas of the same settings, in several divisions
    for row in made["divisions"]:
        replicas = [f"{role}.engine.replicas={number}" for role, number in row["replicas"].items()]
        assert row["wall_s"] == evaluated(None, "task.limit=6", "policy.engine.writer.steps=[1,3]", *replicas)["wall_s"]


@pytest.mark.integration
def test_many_problems_are_streamed_and_the_stream_is_checked(tmp_path: Path) -> None:
    _, said, made = plan(tmp_path, "gpus=40", "problems=5000")
    assert not made["exact"]
    assert abs(made["check"]["error"]) < 0.1
    assert "problems like the task's first 12" in said
    best = made["divisions"][made["best"]]
    assert best["gpus"] == 40
    assert best["wall_s"] == min(row["wall_s"] for row in made["divisions"])
    work = sum(share * best["replicas"][role] for role, share in best["utilisation"].items()) * best["wall_s"]
    for row in made["divisions"]:  # the same work, however it is divided
        used = sum(share * row["replicas"][role] for role, share in row["utilisation"].items())
        assert used * row["wall_s"] == pytest.approx(work)


@pytest.mark.integration
def test_a_search_without_a_verifier_has_all_gpus_for_the_policy(tmp_path: Path) -> None:
    _, _, made = plan(tmp_path, "gpus=4", "search=majority", "gpus_per_replica.policy=2", "task.limit=4")
    assert [(row["replicas"], row["gpus"]) for row in made["divisions"]] == [({"policy": 2}, 4)]


@pytest.mark.integration
def test_a_deadline_takes_the_fewest_gpus(tmp_path: Path) -> None:
    _, _, wide = plan(tmp_path / "a", "gpus=20", "problems=3000")
    deadline = wide["divisions"][wide["best"]]["wall_s"] * 1.02
    status, _, made = plan(tmp_path / "b", f"deadline={deadline}", "problems=3000")
    assert status == 0
    rows, best = made["divisions"], made["divisions"][made["best"]]
    assert [row["gpus"] for row in rows] == sorted({row["gpus"] for row in rows})
    assert best["wall_s"] <= deadline
    assert 18 <= best["gpus"] <= 20
    assert all(row["wall_s"] > deadline for row in rows if row["gpus"] < best["gpus"])


@pytest.mark.integration
def test_texts_are_as_long_as_a_run_measured(tmp_path: Path) -> None:
    longer = ("policy.engine.writer.step_tokens=150", "verifier.engine.writer.analysis_tokens=600")
    measured = evaluated(tmp_path / "run", *longer, "policy.engine.writer.steps=[2,6]")
    judged = measured["verifier"]["completion_tokens"] / measured["verifier"]["verifications"]
    _, said, made = plan(tmp_path / "plan", "gpus=2", f"sizes={tmp_path / 'run'}")
    assert made["lengths"]["verification"] == pytest.approx(judged, rel=0.05)
    tokens = measured["policy"]["completion_tokens"] / measured["n_problems"]
    assert made["demand"]["policy"]["tokens"] == pytest.approx(tokens, rel=0.1)
    assert f"measured: {judged:.0f}" in said


def test_a_dry_run_says_what_would_be_simulated(tmp_path: Path) -> None:
    config, identity = configuration("plan", [*SMALL, "gpus=8"])
    console = Console(file=io.StringIO(), width=80)
    assert plan_job({**config, "dry_run": True}, identity, tmp_path, console) == 0
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "8 to divide" in said
    assert "all problems sample by sample" in said
    assert not list(tmp_path.iterdir())


NEITHER = (
    "gpus, deadline: a plan needs one of them: gpus=8 divides so many GPUs, deadline=3600 finds the fewest that are done "
    "within so many seconds"
)
BAD = {
    "": NEITHER,
    "gpus=2 deadline=5": NEITHER,
    "gpus=0": "gpus=0: at least 1 is needed, or null",
    "deadline=-1": "deadline=-1: more than 0 and finite is needed, or null",
    "gpus=1": "gpus=1: a replica each of policy and verifier needs 2 GPUs (gpus_per_replica)",
    "gpus=4 gpus_per_replica.verifier=4": "gpus=4: a replica each of policy and verifier needs 5 GPUs (gpus_per_replica)",
    "gpus=4 gpus_per_replica.verifier=0": "gpus_per_replica.verifier=0: at least 1 is needed",
    "gpus=4 problems=x": "problems=x: a whole number or null is needed, not a text",
    "gpus=4 clock=real": "clock=real: a plan is made in virtual time; leave it out",
    "gpus=4 budget.run.tokens=5": "budget.run.tokens=5: a plan is of a run that does all of its problems; leave it out",
    "gpus=4 sizes=/nowhere": "/nowhere: no such directory",
    "gpus=4 policy.engine.tick_base=0": "policy.engine.tick_base=0: at least 1e-09 is needed",
    "gpus=4 policy=qwen2.5-math engine@policy.engine=openai policy.engine.base_url=http://127.0.0.1:1/v1": "policy.engine "
    "('Qwen/Qwen2.5-Math-7B-Instruct'): a plan needs no model, only the speed of a replica; leave policy= and "
    "engine@policy.engine= at simulated, and set policy.engine.tick_base, .tick_per_sequence, .prefill and .max_sequences",
    "gpus=4 search=speculative": "search.draft.engine: a model of the search's own; a plan divides GPUs between "
    "the policy's replicas and the verifier's only",
}


@pytest.mark.parametrize("overrides", BAD)
def test_bad_input_is_told_before_anything_is_simulated(overrides: str) -> None:
    config, identity = configuration("plan", overrides.split())
    with pytest.raises(UserError) as told:
        compose_plan(config, identity, Resources())
    assert str(told.value) == BAD[overrides]


@pytest.mark.integration
def test_a_deadline_that_nothing_makes_is_told(tmp_path: Path) -> None:
    status, said, made = plan(tmp_path, "deadline=0.5", width=400)
    assert (status, made) == (2, {})
    assert "deadline=0.5: no number of GPUs is done within that; the least is about" in said
    assert "the longest problem takes that long on any" in said


@pytest.mark.integration
def test_what_is_in_flight_makes_another_plan(tmp_path: Path) -> None:
    _, _, whole = plan(tmp_path, "gpus=2")
    _, _, narrow = plan(tmp_path, "gpus=2", "resume=true", "in_flight.problems=1")
    _, _, again = plan(tmp_path, "gpus=2", "resume=true", "in_flight.problems=1")
    assert narrow["config_hash"] != whole["config_hash"]
    assert narrow["divisions"][0]["wall_s"] > whole["divisions"][0]["wall_s"]
    assert again == narrow
