"""Hydra's plug-ins, where they are installed: launchers that run cells in processes of their own, and Optuna."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.experiments.command_line import ROOT, installed

pytestmark = pytest.mark.integration


def run(folder: Path, module: str, *arguments: str) -> tuple[int, str]:
    """Runs a command as users do: a launcher's processes must find their way without what a test has imported."""
    folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # where they find `deadly`
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return result.returncode, result.stdout


def needs(plug_in: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not installed(plug_in), reason=f"needs pip install {package}")


LAUNCHERS = [
    pytest.param("joblib", "3,1", marks=needs("hydra_joblib_launcher", "hydra-joblib-launcher")),
    # What comes after the cell that dies goes on in a process of its own, which the command does not wait for.
    pytest.param("submitit_local", "1,3", marks=needs("hydra_submitit_launcher", "hydra-submitit-launcher")),
]


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    """Three recorded solutions of each of two problems, only the last of them right, and the verifier likes it best."""
    path = tmp_path / "samples.jsonl"
    solutions = [{"steps": [f"The answer is \\boxed{{{answer}}}."]} for answer in (1, 2, 3)]
    rows = [{"id": str(i), "question": f"{i}?", "answer": "3", "solutions": solutions} for i in range(2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return [
        *("task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}", "sandbox=none"),
        *("verifier=calculator", "verifier._target_=tests.experiments.deadly.Deadly"),
        *(f"+verifier.spared={tmp_path / 'spared'}", f"hydra.sweep.dir={tmp_path / 'sweep'}"),
    ]


def accuracies(folder: Path) -> dict[int, float]:
    """The accuracy of each cell by its N."""
    return {
        yaml.safe_load((path.parent / ".hydra" / "config.yaml").read_text("utf-8"))["search"]["n"]: json.loads(
            path.read_text("utf-8")
        )["accuracy"]
        for path in folder.rglob("summary.json")
    }


@pytest.mark.parametrize(("launcher", "values"), LAUNCHERS)
def test_a_process_of_the_launcher_that_dies_costs_its_cell_alone(
    launcher: str, values: str, tmp_path: Path, settings: list[str]
) -> None:
    command = ["-m", f"hydra/launcher={launcher}", *settings, f"search.n={values}"]
    status, said = run(tmp_path / "first", "tts", *command)
    assert status == 1
    assert "Traceback" not in said
    assert "the sweep's launcher or sweeper stopped" in said
    assert "1 of the sweep's runs failed" in said
    assert "search.n=3" in said.partition("of the sweep's runs failed")[2]
    assert accuracies(tmp_path / "sweep") == {1: 0.0}
    (tmp_path / "spared").touch()
    status, said = run(tmp_path / "second", "tts", *command)
    assert status == 0, said
    assert accuracies(tmp_path / "sweep") == {1: 0.0, 3: 1.0}
    # Once more: nothing is left to do.
    results = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").rglob("results.jsonl")}
    status, said = run(tmp_path / "third", "tts", *command)
    assert status == 0, said
    assert results == {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").rglob("results.jsonl")}


@needs("hydra_optuna_sweeper", "'tts-search[optuna]'")
def test_optuna_is_told_of_finished_cells_without_running_them(tmp_path: Path, settings: list[str]) -> None:
    (tmp_path / "spared").touch()
    command = [
        *("-m", "hydra/sweeper=optuna", *settings, "search.n=choice(1,2,3)", "hydra.sweeper.direction=maximize"),
        *("hydra.sweeper.n_trials=8", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=0"),
    ]
    best = tmp_path / "sweep" / "optimization_results.yaml"
    status, said = run(tmp_path / "first", "tts", *command)
    assert status == 0, said
    found = accuracies(tmp_path / "sweep")
    assert yaml.safe_load(best.read_text("utf-8"))["best_value"] == max(found.values()) == found[3] == 1
    # A trial that was made before is told from its summary; the objective is no part of a cell.
    status, again = run(tmp_path / "second", "tts", *command, "objective.metric=pass_at_1")
    assert status == 0, again
    assert again.count("finished before") == 8
    assert yaml.safe_load(best.read_text("utf-8"))["best_value"] == pytest.approx(1 / 3)
    status, said = run(tmp_path / "third", "tts", *command, "objective.metric=acuracy")
    assert status == 2
    assert "objective.metric=acuracy: summary.json has no such rate" in said
    assert "Traceback" not in said


@needs("hydra_optuna_sweeper", "'tts-search[optuna]'")
@needs("hydra_joblib_launcher", "hydra-joblib-launcher")
def test_optuna_goes_on_after_a_trial_whose_process_dies(tmp_path: Path, settings: list[str]) -> None:
    command = [
        *("-m", "hydra/sweeper=optuna", "hydra/launcher=joblib", *settings, "search.n=choice(1,3)"),
        *("hydra.sweeper.direction=maximize", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"),
        "hydra.sweeper.sampler.seed=0",
    ]
    status, said = run(tmp_path / "first", "tts", *command)
    assert status == 1
    assert "search.n=3" in said.partition("1 of the sweep's runs failed")[2]
    best = yaml.safe_load((tmp_path / "sweep" / "optimization_results.yaml").read_text("utf-8"))
    assert best["best_params"] == {"search.n": 1}
    (tmp_path / "spared").touch()
    status, said = run(tmp_path / "second", "tts", *command)
    assert status == 0, said
    best = yaml.safe_load((tmp_path / "sweep" / "optimization_results.yaml").read_text("utf-8"))
    assert best["best_params"] == {"search.n": 3}


@pytest.mark.parametrize(
    ("option", "plug_in", "package"),
    [
        ("hydra/sweeper=optuna", "hydra_optuna_sweeper", "'tts-search[optuna]'"),
        ("hydra/launcher=submitit_local", "hydra_submitit_launcher", "hydra-submitit-launcher"),
    ],
)
def test_a_plug_in_that_is_missing_is_named_with_its_package(
    option: str, plug_in: str, package: str, tmp_path: Path
) -> None:
    if installed(plug_in):
        pytest.skip(f"{package} is installed")
    status, said = run(tmp_path / "run", "tts", "-m", option)
    assert status == 2
    assert said.splitlines() == [f"error: {option} is a Hydra plug-in that is not installed: pip install {package}"]
