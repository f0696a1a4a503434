"""The strategy in docs/write-a-strategy.md, as a new user tries it: two files in a directory of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from search.beam import Beam
from tests import program
from tests.search.toy import Toy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "write-a-strategy.md").read_text("utf-8")
FILES = dict(re.findall(r"`([\w/.]+\.(?:py|yaml))`[^`]*?:\n\n```\w+\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = re.findall(r"^    python -m tts (.*)$", TEXT, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, body in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(body, "utf-8")
    return tmp_path


def tts(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # As `make setup` has it: the project is installed, and the directory that the command is given in goes before it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return program.run("-m", "tts", *arguments, folder=folder, environment=environment)


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "results.jsonl").read_text("utf-8").split("\n")[:-1]]


def test_it_is_short() -> None:
    assert set(FILES) == {"until_good.py", "conf/search/until_good.yaml"}
    assert len(FILES["until_good.py"].splitlines()) < 40


def test_the_first_command_searches_with_the_embedded_models(folder: Path) -> None:
    done = tts(folder, *shlex.split(COMMANDS[0]), "task.limit=1", "verifier.votes=1", "hydra.run.dir=run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "UntilGood, N = 16" in done.stdout
    records = lines(folder / "run")
    assert len(records) == 1
    for record in records:
        drawn = record["solutions"]
        scores = [solution["score"] or 0.0 for solution in drawn]
        # It stops behind the first batch that holds a good one.
        assert len(drawn) in (4, 8, 12, 16)
        assert max(scores[:-4], default=0.0) < 0.9
        assert len(drawn) == 16 or max(scores) >= 0.9
        assert record["chosen"] is not None


def test_budgets_hold_for_it(folder: Path) -> None:
    done = tts(folder, *shlex.split(COMMANDS[1]), "hydra.run.dir=run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "run" / "summary.json").read_text())["limits_hit"] == ["problem.tokens"]


def test_it_is_swept_beside_others(folder: Path) -> None:
    done = tts(folder, *shlex.split(COMMANDS[2]), "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sorted(path.parent.name for path in (folder / "sweep").glob("*/summary.json"))
    assert len(cells) == 4


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("search.n=6", "search.n=6: n must be a multiple of batch=4"),
        ("search.enough=high", "search.enough=high: a number is needed, not a text"),
        ("search.enough=2", "search.enough=2: at least 0 and at most 1 is needed"),
        ("+search.bath=2", "search.bath: no such setting; did you mean 'batch'?"),
        ("search._target_=until_good.Until", "search._target_=until_good.Until: cannot be imported"),
    ],
)
def test_mistakes_are_one_message(folder: Path, override: str, says: str) -> None:
    done = tts(folder, "--config-dir", "conf", "search=until_good", override, "hydra.run.dir=run")
    assert done.returncode == 2
    assert says in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stdout + done.stderr


async def test_the_search_over_steps_is_a_beam_of_width_one() -> None:
    [code] = [code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "StepSearch" in code]
    # Annotations are looked up in the module that a class says it is from.
    sys.modules["greedy"] = module = types.ModuleType("greedy")
    exec(code, vars(module))
    for seed in range(20):
        greedy = await Toy(seed, repeats=True).search(module.Greedy(3))
        beam = await Toy(seed, repeats=True).search(Beam(3, 1))
        assert greedy.candidates == beam.candidates
