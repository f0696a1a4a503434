"""What is no setting is refused before anything is run, in single runs and in sweeps, by both commands."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests import program
from tests.experiments.command_line import ROOT, run

pytestmark = pytest.mark.integration


@pytest.fixture
def recorded(tmp_path: Path) -> list[str]:
    solutions = [{"text": "The answer is \\boxed{2}."}] * 2
    path = tmp_path / "samples.jsonl"
    path.write_text(
        json.dumps({"id": "a", "question": "1 + 1?", "answer": "2", "solutions": solutions}) + "\n", "utf-8"
    )
    return [
        *("task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}"),
        *("verifier=always_correct", "sandbox=none", "search.n=1"),
    ]


REFUSED = [
    (["serch.n=4"], "serch.n: no such setting; did you mean search.n?"),
    (["+serch.n=4"], "serch.n: no such setting; did you mean search.n?"),
    (["+serch={n: 4}"], "serch.n: no such setting; did you mean search.n?"),
    (
        ["policy=recorded", "policy.top_logprobs=20"],
        "policy.top_logprobs: no such setting; there are policy.engine, policy._target_, policy.path",
    ),
    (["search.nn=4"], "search.nn: no such setting; did you mean search.n?"),
    (["++verifer=null", "+sed=3"], "sed: no such setting; did you mean seed?"),
    (["hydra.sweep.dirr=x"], "hydra.sweep.dirr: no such setting; did you mean hydra.sweep.dir?"),
    (["search=best_off_n"], "search=best_off_n: no such option; did you mean best_of_n? There are ab_mcts"),
    (["~seed"], "the configuration has no seed; leave out ~seed"),
    (["~in_flight", "~dry_run"], "the configuration has no dry_run, in_flight; leave out ~dry_run and ~in_flight"),
    (["+quite=other"], "quite: no such setting; there are grading, task, policy"),
]


@pytest.mark.parametrize(("overrides", "says"), REFUSED)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"]])
def test_a_search_refuses(
    overrides: list[str], says: str, sweep: list[str], recorded: list[str], tmp_path: Path
) -> None:
    status, said = run(tmp_path / "run", "tts", *sweep, *recorded, *overrides)
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith(f"error: {says}")
    assert not list(tmp_path.rglob("results.jsonl"))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("search.n=${nothing}", "search.n: Interpolation key 'nothing' not found"),
        ("search.n=${search.n}", "search.n: Recursive interpolation detected"),
        ("objective.tokens=-1", "objective.tokens=-1: at least 1 is needed, or null"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(override: str, says: str, recorded: list[str], tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", "tts", "dry_run=true", *recorded, override)
    assert (status, said.splitlines()) == (2, [f"error: {says}"])


def test_a_run_whose_budget_allows_no_sample_says_so(tmp_path: Path) -> None:
    small = ["task.limit=1", "search.n=1", "verifier=always_correct", "sandbox=none", "budget.problem.seconds=1e-300"]
    status, said = run(tmp_path / "run", "tts", *small)
    assert "Traceback" not in said
    assert status in (0, 1), said
    (row,) = (line for line in said.splitlines() if line.startswith("one sample (pass@1)"))
    assert row.split()[3:] == ["none"]


@pytest.mark.parametrize("optional", ["~objective", "~bank", "~resume"])
def test_a_run_may_do_without(optional: str, recorded: list[str], tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", "tts", *recorded, optional)
    assert status == 0, said


@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"]])
def test_a_judge_refuses(sweep: list[str], tmp_path: Path) -> None:
    status, said = run(
        tmp_path / "run", "tts.judge", *sweep, "verifier=calculator", "+treshold.value=0.4", "task.path=x"
    )
    assert status == 2
    assert said == "error: treshold.value: no such setting; did you mean threshold.value?\n"
    # The presets of one command say of the other's groups that they are null.
    status, said = run(
        tmp_path / "dry", "tts.judge", "experiment=processbench_pass1", "dry_run=true", "task.path=/none.json"
    )
    assert "error: there is no data file /none.json" in said


def test_a_value_that_names_nothing_is_told_before_any_cell(recorded: list[str], tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", "tts", "-m", *recorded, "seed=range(0,500)", "verifier=oracle,orcle")
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith("error: verifier=orcle: no such option; did you mean oracle?")


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        (["search=glob(zz*)"], "search=glob(zz*): it stands for no value"),
        (["search.n=1,2", "seed=range(5,5)"], "seed=range(5,5): it stands for no value"),
        (["seed=range(1,5,0)"], "seed=range(1,5,0): "),
        (["seed=range(0,1e8)"], "seed=range(0,1e8): more than 100,000 cells"),
        (["seed=range(0,1000)", "search.n=range(1,102)"], "search.n=range(1,102): more than 100,000 cells"),
        (["+hydra.sweeper.params.seed='1,2'"], "+hydra.sweeper.params.seed='1,2': a mapping of Hydra's that is null"),
        (["hydra.sweeper.params={seed:1}"], "hydra.sweeper.params={seed:1}: a mapping of Hydra's that is null"),
    ],
)
def test_a_sweep_of_no_cells_or_too_many_is_refused(
    sweep: list[str], says: str, recorded: list[str], tmp_path: Path
) -> None:
    status, said = run(tmp_path / "run", "tts", "-m", *recorded, *sweep)
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith(f"error: {says}")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_cell_that_cannot_be_composed_keeps_no_other_from_running(recorded: list[str], tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", "tts", "-m", *recorded, "seed=0,${nowhere},1")
    assert status == 2
    assert "error: seed: Interpolation key 'nowhere' not found" in said
    done = {
        yaml.safe_load((path.parent / ".hydra" / "config.yaml").read_text("utf-8"))["seed"]
        for path in tmp_path.rglob("results.jsonl")
    }
    assert done == {0, 1}, said


def test_a_server_that_is_away_is_told_before_models_are_loaded(recorded: list[str], tmp_path: Path) -> None:
    """The policy's weights are none: to load them would tell that."""
    broken = tmp_path / "checkpoint"
    shutil.copytree(ROOT / "policies" / "embedded" / "checkpoint", broken)
    (broken / "model.safetensors").write_text("none", "utf-8")
    policy = [*recorded[:2], "sandbox=none", f"policy.engine.model={broken}"]
    status, said = run(tmp_path / "alone", "tts", *policy, "search=majority")
    assert status == 2
    assert str(broken) in said
    served = [
        "engine@verifier.engine=openai",
        "verifier.engine.model=m",
        "verifier.engine.base_url=http://127.0.0.1:9/v1",
    ]
    status, said = run(tmp_path / "run", "tts", *policy, *served, "verifier=genprm", "verifier.execute=false")
    assert status == 2
    (line,) = said.splitlines()
    assert "no server answers" in line
    assert "http://127.0.0.1:9/v1" in line


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--run", "-m"], "--run --multirun: only one"),
        (["-c", "job", "--multi"], "--multirun --cfg: only one"),
        (["--resolve"], "--resolve: only together with --cfg"),
        (["-sc"], "--shell-completion: "),
        (["-sc", "query=bash"], "--shell-completion: "),
        (["--experimental-rerun", "EVIL"], "--experimental-rerun: it unpickles a file"),
        (["--exp", "EVIL"], "--experimental-rerun: it unpickles a file"),
        (["--\x1b[2J"], "--\\x1b[2J: no such flag"),
    ],
)
def test_flags_that_cannot_be_are_one_message(flags: list[str], says: str, tmp_path: Path) -> None:
    evil = tmp_path / "config.pickle"
    evil.write_bytes(pickle.dumps(_Evil(tmp_path / "executed")))
    line = ["-m", "tts.judge", "dry_run=true", *(str(evil) if flag == "EVIL" else flag for flag in flags)]
    done = program.run(*line, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {says}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [evil]


class _Evil:
    """Makes a directory when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._place),)
