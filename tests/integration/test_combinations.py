"""Every strategy with every kind of policy and verifier: it runs, or is refused with the reason before any compute."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import search_job

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = sorted(path.stem for path in (ROOT / "conf" / "search").glob("*.yaml"))
MORE = {
    "power_sampling": ["policy.top_logprobs=20", "policy.top_k=20"],
    "speculative": ["policy@search.draft=simulated", "engine@search.draft.engine=simulated"],
}
"""What a strategy needs besides itself."""
RECORDED = 64
"""Solutions in the recording, as many as any strategy asks for by default."""


@pytest.fixture
def recording(tmp_path: Path) -> list[str]:
    """The task, and what the recorded parts need besides."""
    solutions = [{"text": f"It is {k % 3}.\n\nThe answer is \\boxed{{{k % 3}}}."} for k in range(RECORDED)]
    row = {"id": "a", "question": "Which?", "answer": "1", "solutions": solutions}
    (tmp_path / "samples.jsonl").write_text(json.dumps(row) + "\n")
    scores = [{"id": "a", "index": k, "scores": [1 / (k + 2)]} for k in range(RECORDED)]
    (tmp_path / "scores.jsonl").write_text("".join(json.dumps(score) + "\n" for score in scores))
    return ["task=jsonl", f"task.path={tmp_path}/samples.jsonl"]


def run(folder: Path, overrides: list[str]) -> tuple[int, str]:
    """Returns exit status and output."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("config", ["experiment=simulated", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    out = io.StringIO()
    folder.mkdir()
    return search_job(plain, "0", folder, Console(file=out, width=200)), out.getvalue()


@pytest.mark.parametrize("policy", ["simulated", "recorded"])
@pytest.mark.parametrize("verifier", ["simulated", "recorded"])
@pytest.mark.parametrize("search", STRATEGIES)
def test_a_combination_runs_or_is_refused(
    tmp_path: Path, recording: list[str], search: str, policy: str, verifier: str
) -> None:
    paths = {"policy": f"policy.path={tmp_path}/samples.jsonl", "verifier": f"verifier.path={tmp_path}/scores.jsonl"}
    chosen = {"policy": policy, "verifier": verifier}
    overrides = [f"{role}={name}" for role, name in chosen.items()]
    overrides += [paths[role] for role, name in chosen.items() if name == "recorded"]
    more = MORE.get(search, []) if policy == "simulated" else []
    status, said = run(tmp_path / "run", [*recording, *overrides, f"search={search}", *more])
    if status == 2:
        assert "recorded" in chosen.values()
        assert search not in ("best_of_n", "majority", "resample")
        assert said.startswith("error: search (")
        assert " needs a " in said
        assert not (tmp_path / "run" / "results.jsonl").exists()
        return
    assert status == 0, said
    (record,) = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text("utf-8").splitlines()]
    assert record["error"] is None
    assert record["prediction"] is not None


def test_names_are_shown_as_they_are_written(tmp_path: Path, recording: list[str]) -> None:
    """A sweep's directory is named by its overrides, and those hold lists; square brackets are the terminal's markup."""
    folder = tmp_path / "task.path=[red] [:x]"
    status, said = run(folder, [*recording, "task.name='[/b]'"])
    assert status == 0, said
    assert folder.name in said
    assert "[/b]: BestOfN" in said
    status, said = run(tmp_path / "dry", [*recording, "task.name='[/b]'", "dry_run=true"])
    assert status == 0, said
    assert "[/b], 1 problems" in said
