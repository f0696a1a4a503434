"""The recipes on the tiny models, to their end: through the command line, also when they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tts.recipe.recipe import names

pytest.importorskip("accelerate")
pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("size=embedded", "sandbox=none", "problems=4", "held_out=4")
LIKE_GENPRM = ("genprm", "thinkprm", "r-prm")
"""Recipes that train a verifier that writes."""
TIMES = ("wall_s", "ended_at")


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "tts.recipe", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def recipe(folder: Path, *arguments: str) -> str:
    process = started(folder, *arguments)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return said


def files(run: Path) -> dict[str, object]:
    """Returns what a run wrote, apart from times."""

    def timeless(row: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in row.items() if key not in TIMES}

    found: dict[str, object] = {}
    for path in sorted(run.glob("*/*.jsonl")):
        if path.name != "metrics.jsonl":
            rows = [json.loads(line, object_hook=timeless) for line in path.read_text("utf-8").splitlines()]
            found[f"{path.parent.name}/{path.name}"] = sorted(rows, key=json.dumps)
    found["weights"] = (run / "train/model/model.safetensors").read_bytes()
    return found


def test_genprm_goes_from_problems_to_a_model_that_has_judged(tmp_path: Path) -> None:
    said = recipe(tmp_path, "genprm", *SMALL)
    run = tmp_path / "recipes/genprm-embedded"
    kept = json.loads((run / "data/summary.json").read_text("utf-8"))
    assert 0 < kept["kept"] <= 1
    assert json.loads((run / "judge/summary.json").read_text("utf-8"))["f1"] is not None
    assert "6 of 6: judge" in said
    again = recipe(tmp_path, "genprm", *SMALL)
    assert again.count("finished before") == 6


@pytest.mark.parametrize("name", [name for name in names() if name not in LIKE_GENPRM])
def test_a_recipe_of_another_kind_runs_to_its_end(name: str, tmp_path: Path) -> None:
    recipe(tmp_path, name, "dir=run", *SMALL)
    assert json.loads((tmp_path / "run/judge/summary.json").read_text("utf-8"))["f1"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_recipe_runs_to_its_end(name: str, tmp_path: Path) -> None:
    recipe(tmp_path, name, "size=embedded", "sandbox=none", "dir=run")
    assert json.loads((tmp_path / "run/judge/summary.json").read_text("utf-8"))["f1"] is not None


@pytest.mark.slow
def test_rounds_learn_from_the_verifier_of_the_round_before(tmp_path: Path) -> None:
    recipe(tmp_path, "iterate", "genprm", "size=embedded", "sandbox=none", "dir=run", "rounds=2", "patience=2")
    told = json.loads((tmp_path / "run/rounds.json").read_text("utf-8"))
    assert [one["number"] for one in told["rounds"]] == [1, 2]
    later = (tmp_path / "run/round_2/rationales/.hydra/overrides.yaml").read_text("utf-8")
    assert "writer.of.engine.model=run/round_1/train/model" in later


@pytest.mark.slow
def test_killed_at_any_stage_it_goes_on_to_the_same_files(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    given = ("genprm", "dir=run", *SMALL)
    recipe(whole, *given)
    for stage in ("labels", "rationales", "train"):
        process = started(killed, *given)
        while not (killed / "run" / stage / "status.json").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    recipe(killed, *given)
    before, after = files(whole / "run"), files(killed / "run")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
