"""Every preset by the command that stands at its top, small, on the embedded models."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from tests.experiments.command_line import installed, run
from tts.evaluation.paper_rules import RULES
from tts.report.__main__ import main as report

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "conf" / "experiment"
EMBEDDED = ROOT / "policies" / "embedded" / "checkpoint"
QUESTION = (
    "A library starts with 15 books. On the first day, 14 books are returned. On the second day, 50 books are returned. "
    "How many books are in the library now?"
)
SECOND = "Step 2: 50 books are returned:"

Summaries = dict[str, dict[str, Any]]
"""By the overrides that tell a cell from the others of its sweep, as `search.n=4 verifier.votes=1`."""


@dataclass(frozen=True)
class Small:
    """A preset, made small.

    Attributes:
        overrides: What is added to its command.
        cells: The runs that are then there.
        check: Looks at their figures.
    """

    overrides: str
    cells: set[str]
    check: Callable[[Summaries], None]


def grid(*axes: tuple[str, str]) -> set[str]:
    cells = [""]
    for key, values in axes:
        cells = [f"{cell} {key}={value}".strip() for cell in cells for value in values.split(",")]
    return set(cells)


def six_rules(found: Summaries) -> None:
    for summary in found.values():
        assert set(summary["rules"]) == set(RULES)
        assert summary["rules_mean"] == pytest.approx(sum(summary["rules"].values()) / 6)
        assert min(summary["rules"].values()) <= summary["accuracy"] <= summary["oracle"]
    # Of one candidate every rule takes that one.
    assert found["search.n=1 verifier.votes=1"]["rules_mean"] == found["search.n=1 verifier.votes=1"]["pass_at_1"]
    as_its_largest(found)


def as_its_largest(found: Summaries) -> None:
    """Nothing is generated twice: all cells together generate what the largest one cost."""
    for role in ("policy", "verifier"):
        cost = max(summary[role]["completion_tokens"] for summary in found.values())
        assert sum(summary["generated"][f"{role}_tokens"] for summary in found.values()) == cost > 0


def by_turns(found: Summaries) -> None:
    first, last = (found[f"search.turns={turns}"] for turns in (1, 3))
    # The chains of three turns begin with those of one.
    assert first["policy"]["completion_tokens"] < last["policy"]["completion_tokens"]
    as_its_largest(found)


def first_errors_found(votes: int) -> Callable[[Summaries], None]:
    def check(found: Summaries) -> None:
        (summary,) = found.values()
        assert summary["verifier"]["votes"] == 2 * 2 * votes
        assert (summary["n_erroneous"], summary["n_correct"]) == (1, 1)
        # One vote is wrong about the second solution's last step; the mean of eight is not.
        assert (summary["acc_error"], summary["acc_correct"]) == (1, votes == 8)

    return check


def only_majority_asks_no_verifier(found: Summaries) -> None:
    assert [cell for cell, summary in found.items() if not summary["verifier"]["votes"]] == ["search=majority"]


def in_virtual_time(found: Summaries) -> None:
    (summary,) = found.values()
    assert summary["policy"]["samples"] == 8
    assert summary["verifier"]["completion_tokens"] > 1000
    assert summary["wall_s"] > 1


def one_model(found: Summaries) -> None:
    (summary,) = found.values()
    assert summary["n_problems"] == 2
    assert summary["policy"]["samples"] == 4
    # One token a step, read from the same model.
    assert summary["verifier"]["votes"] > 0


def trials(found: Summaries) -> None:
    assert found


JUDGE = "verifier=embedded task.path={labelled} bootstrap.resamples=20"
SMALL = {
    "best_of_n": Small(
        "task.size=2 search.n=1,3 verifier.votes=1,2 sandbox=none",
        grid(("search.n", "1,3"), ("verifier.votes", "1,2")),
        six_rules,
    ),
    "nk_surface": Small(
        "task.size=2 search.n=1,2 verifier.votes=1,2 sandbox=none",
        grid(("search.n", "1,2"), ("verifier.votes", "1,2")),
        as_its_largest,
    ),
    "critique_refine": Small(
        "task.size=3 search.n=4 search.turns=1,3 verifier.votes=1", grid(("search.turns", "1,3")), by_turns
    ),
    "equal_budget": Small(
        "task.size=2 search=majority,best_of_n,dvts search.n=4 verifier.votes=1 sandbox=none",
        grid(("search", "majority,best_of_n,dvts")),
        only_majority_asks_no_verifier,
    ),
    "equal_compute": Small(
        "task.size=2 search=majority,best_of_n,mcts search.compute=4 verifier.votes=1 sandbox=none",
        grid(("search", "majority,best_of_n,mcts")),
        only_majority_asks_no_verifier,
    ),
    "processbench_pass1": Small(JUDGE, {""}, first_errors_found(1)),
    "processbench_maj8": Small(JUDGE, {""}, first_errors_found(8)),
    "first_real_model": Small(
        "task.limit=2 search.n=2 policy.max_tokens=24 policy.engine.context=512 policy.engine.model={embedded}",
        {""},
        one_model,
    ),
    "simulated": Small("task.size=2 search.n=4 verifier.votes=2", {""}, in_virtual_time),
    "allocate": Small(
        "task.size=2 search.n=4 search.width=2 verifier.votes=choice(1,2) hydra.sweeper.n_trials=2 sandbox=none",
        set(),
        trials,
    ),
}


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two solutions of the kind that the embedded models know."""
    path = tmp_path_factory.mktemp("labelled") / "library.json"
    right = ["Step 1: 14 books are returned: 15 + 14 = 29.", f"{SECOND} 29 + 50 = 79. The answer is \\boxed{{79}}."]
    wrong = ["Step 1: 14 books are returned: 15 - 14 = 1.", f"{SECOND} 1 + 50 = 51. The answer is \\boxed{{51}}."]
    rows = [
        {"id": f"library-{number}", "problem": QUESTION, "steps": steps, "label": label}
        for number, (steps, label) in enumerate([(right, -1), (wrong, 0)])
    ]
    path.write_text(json.dumps(rows), "utf-8")
    return path


def command_of(preset: Path) -> tuple[str, list[str]]:
    """The module and the arguments of the command at the top of a preset's file."""
    line = next(line for line in preset.read_text("utf-8").splitlines() if line.startswith("#   python -m "))
    _, _, module, *arguments = shlex.split(line.removeprefix("#   ").partition("     ")[0])
    return module, arguments


def summaries(folder: Path, axes: set[str]) -> Summaries:
    """The summaries below a directory, by what tells cells apart."""
    found: Summaries = {}
    keys = {part.partition("=")[0] for cell in axes for part in cell.split()}
    for path in folder.rglob("summary.json"):
        overrides = (path.parent / ".hydra" / "overrides.yaml").read_text("utf-8").splitlines()
        told = dict(line.removeprefix("- ").split("=", 1) for line in overrides if "=" in line)
        found[" ".join(f"{key}={told[key]}" for key in sorted(keys))] = json.loads(path.read_text("utf-8"))
    return found


def test_no_preset_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(SMALL)


def test_all_strategies_of_the_comparison_exist() -> None:
    strategies = {path.stem for path in (FOLDER.parent / "search").glob("*.yaml")}
    for name in ("equal_budget", "equal_compute"):
        params = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))["hydra"]["sweeper"]["params"]
        assert set(params["search"].split(",")) <= strategies


@pytest.mark.parametrize("name", SMALL)
def test_a_preset_does_what_it_says(name: str, tmp_path: Path, labelled: Path) -> None:
    small = SMALL[name]
    module, arguments = command_of(FOLDER / f"{name}.yaml")
    assert f"experiment={name}" in arguments
    added = small.overrides.format(labelled=labelled, embedded=EMBEDDED).split()
    status, said = run(tmp_path, module, *arguments, *added)
    if name == "allocate" and not installed("hydra_optuna_sweeper"):
        assert status == 2
        assert said.strip().endswith("not installed: pip install 'tts-search[optuna]'")
        assert len(said.splitlines()) == 1
        pytest.skip("hydra-optuna-sweeper is not installed; that it is missing is told in one message")
    assert status == 0, said
    found = summaries(tmp_path, small.cells)
    if small.cells:
        assert set(found) == small.cells
    small.check(found)
    if module == "tts":
        compare(tmp_path, len(found))


def compare(folder: Path, runs: int) -> None:
    """The report holds every run, and is there."""
    output = io.StringIO()
    assert report([str(folder)], Console(file=output, width=200)) == 0, output.getvalue()
    with (folder / "report.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "run" and row["bin"] == "all"]
    assert len(rows) == runs
    assert all(float(row["value"]) <= 1 for row in rows)
    assert (folder / "report.html").stat().st_size > 10_000
