"""The main job on the embedded default: real models, real jail, real files."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from tests import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS, SAMPLES = 4, 3
SMALL = [f"task.size={PROBLEMS}", f"search.n={SAMPLES}", "verifier.votes=2"]


def rows_of(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        del row["wall_s"]
    return rows


def run(folder: Path, *overrides: str) -> list[dict]:
    result = program.run("-m", "tts", f"hydra.run.dir={folder}", *SMALL, *overrides, folder=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    return rows_of(folder)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    run(folder)
    return folder


def test_every_step_of_every_sample_is_judged_with_code(demo: Path) -> None:
    for row in rows_of(demo):
        assert len(row["solutions"]) == SAMPLES
        assert row["usage"]["verifier"]["code_executions"] > 0
        for solution in row["solutions"]:
            assert len(solution["scores"]) == len(solution["steps"])
            assert [len(vote) for vote in solution["votes"]] == [len(solution["steps"])] * 2
            assert all(score is None or 0 <= score <= 1 for score in solution["scores"])
        with (demo / "trees" / f"{row['id']}.json").open() as file:
            tree = nx.node_link_graph(json.load(file), edges="edges")
        assert tree.nodes[1]["text"] == row["solutions"][0]["text"]
        assert "[Code Output]" in tree.nodes[1]["votes"][0]["critiques"][0]


def test_the_summary_adds_up(demo: Path) -> None:
    summary, rows = json.loads((demo / "summary.json").read_text()), rows_of(demo)
    assert summary["n_problems"] == len(rows) == PROBLEMS
    assert summary["n_errors"] == 0
    assert summary["accuracy"] == sum(row["correct"] for row in rows) / PROBLEMS
    assert summary["oracle"] == sum(any(s["correct"] for s in row["solutions"]) for row in rows) / PROBLEMS
    assert summary["pass_at_1"] == sum(s["correct"] for row in rows for s in row["solutions"]) / (PROBLEMS * SAMPLES)
    assert summary["policy"]["samples"] == PROBLEMS * SAMPLES
    assert summary["policy"]["completion_tokens"] == sum(s["tokens"] for row in rows for s in row["solutions"])
    for role in ("policy", "verifier"):
        spent = [row["usage"][role] for row in rows]
        assert summary[role]["completion_tokens"] == sum(usage["completion_tokens"] for usage in spent)
        assert summary[role]["flops"] == sum(usage["flops"] for usage in spent) > 0
        assert summary["generated"][f"{role}_tokens"] == summary[role]["completion_tokens"]
    assert summary["verifier"]["verifications"] == sum(row["usage"]["verifier"]["verifications"] for row in rows)
    assert {"landlock", "seccomp"} & set(summary["sandbox"])


def test_results_do_not_depend_on_scheduling(demo: Path, tmp_path: Path) -> None:
    """Same configuration and seed: the same bytes, however requests happen to meet in a batch."""
    other = [
        "in_flight.problems=2",
        "in_flight.policy=3",
        "in_flight.verifier=11",
        "policy.engine.batch_size=7",
        "verifier.engine.batch_size=5",
        "verifier.engine.prefix_cache_mb=0",
    ]
    assert run(tmp_path / "other", *other) == rows_of(demo)


def test_another_seed_gives_other_samples(demo: Path, tmp_path: Path) -> None:
    texts = [[s["text"] for s in row["solutions"]] for row in run(tmp_path / "seed", "seed=1", "search=majority")]
    assert texts != [[s["text"] for s in row["solutions"]] for row in rows_of(demo)]


def test_a_recorded_demo_replays_without_models(demo: Path, tmp_path: Path) -> None:
    files = [tmp_path / "policy.jsonl", tmp_path / "verifier.jsonl"]
    first = run(tmp_path / "first", f"policy.engine.record={files[0]}", f"verifier.engine.record={files[1]}")
    policy = rows_of(demo)[0]["usage"]["policy"]
    # The recording does not know the models; FLOPs need their size.
    parameters = round(policy["flops"] / 2 / (policy["prompt_tokens"] + policy["completion_tokens"]))
    replay = run(
        tmp_path / "replayed",
        "engine@policy.engine=replay", f"policy.engine.path={files[0]}", f"policy.engine.parameters={parameters}",
        "engine@verifier.engine=replay", f"verifier.engine.path={files[1]}", f"verifier.engine.parameters={parameters}",
    )  # fmt: skip
    assert replay == first == rows_of(demo)
