"""A plug-in that is broken costs ten problems, not the whole task, and is one message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PLUG_IN = """
import os
from verifiers.base import BaseVerifier
from tts import Verdict

class Broken(BaseVerifier):
    async def verify(self, problem, solution, prior=None):
        if os.path.exists("mended"):
            return Verdict((1.0,) * len(solution.steps))
        return {}["score"]

class Leaving(BaseVerifier):
    def __init__(self):
        raise SystemExit(0)

class LeavingLate(BaseVerifier):
    async def verify(self, problem, solution, prior=None):
        raise SystemExit(0)

class Listing(BaseVerifier):
    async def verify(self, problem, solution, prior=None):
        return [1.0]
"""


def run(folder: Path, name: str, *overrides: str) -> tuple[int, str]:
    (folder / "mine.py").write_text(PLUG_IN, "utf-8")
    samples = folder / "samples.jsonl"
    solutions = [{"text": "The answer is \\boxed{2}."}] * 2
    rows = [{"id": f"p{i}", "question": f"{i}?", "answer": "2", "solutions": solutions} for i in range(200)]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    task = ("task=jsonl", f"task.path={samples}", "policy=recorded", f"policy.path={samples}", "sandbox=none")
    plug_in = ("verifier=always_correct", f"verifier._target_=mine.{name}", "search.n=2", "hydra.run.dir=run")
    done = program.run("-m", "tts", *task, *plug_in, *overrides, folder=folder)
    return done.returncode, done.stdout + done.stderr


def errors(folder: Path) -> list[str | None]:
    lines = (folder / "run" / "results.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["error"] for line in lines]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Broken", "KeyError: 'score'"),
        ("Listing", "the verifier Listing returned [1.0] (list): a tts.Verdict is needed"),
    ],
)
def test_it_costs_ten_problems_and_is_one_message(tmp_path: Path, name: str, message: str) -> None:
    status, said = run(tmp_path, name)
    assert status == 2, said
    assert said.count("error:") == 1
    assert "the first 10 problems all failed with the same error" in said
    assert message in said
    found = errors(tmp_path)
    assert len(found) == 10
    assert all(error is not None and message in error for error in found)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["n_errors"] == 10


def test_the_same_command_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    assert run(tmp_path, "Broken")[0] == 2
    (tmp_path / "mended").touch()
    status, said = run(tmp_path, "Broken", "resume=true")
    assert status == 0, said
    assert errors(tmp_path) == [None] * 200


def test_a_script_that_ends_the_program_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys\n\nsys.exit(0)\n", "utf-8")
    status, said = run(tmp_path, "Broken", "verifier._target_=script.Judge")
    assert (status, said.count("error:")) == (2, 1)
    assert "script.py:3: it calls sys.exit" in said


@pytest.mark.parametrize("name", ["Leaving", "LeavingLate"])
def test_a_part_that_ends_the_program_is_no_success(tmp_path: Path, name: str) -> None:
    status, said = run(tmp_path, name)
    assert (status, said.count("error:")) == (2, 1)
    assert "mine.py:" in said
    assert "it calls sys.exit" in said
