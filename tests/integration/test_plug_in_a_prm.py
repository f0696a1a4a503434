"""The codec in docs/plug-in-a-prm.md, as a new user tries it: files in a directory of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "plug-in-a-prm.md").read_text("utf-8")
FILES = dict(re.findall(r"`([\w/.]+\.(?:py|yaml|json))`[^`]*?:\n\n```\w+\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = [shlex.split(command) for command in re.findall(r"^    python -m (.*)$", TEXT, re.MULTILINE)]
SHOWN = re.search(r"prints, without loading a weight,\n\n(.*?)\n\nwith the tokens", TEXT, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, body in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(body, "utf-8")
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # As `make setup` has it: the project is installed, and the directory that the command is given in goes before it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return program.run("-m", *arguments, "hydra.run.dir=run", folder=folder, environment=environment)


def test_it_is_short() -> None:
    configs = {f"conf/verifier/{name}.yaml" for name in ("mine", "yes_no", "brief")}
    assert set(FILES) == {"yes_no.py", "brief.py", "samples.json", *configs}
    assert all(len(body.splitlines()) < 30 for body in FILES.values())
    assert [command[0] for command in COMMANDS] == ["tts.judge", "tts.judge", "tts"]


def test_a_dry_run_shows_what_the_document_says(folder: Path) -> None:
    done = python(folder, *COMMANDS[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert SHOWN is not None
    assert re.sub(r"(?m)^    ", "", SHOWN[1]) in done.stdout
    assert not (folder / "run" / "summary.json").exists()


def test_a_class_without_a_model_is_judged_as_it_is(folder: Path) -> None:
    done = python(folder, "tts.judge", "--config-dir", "conf", "verifier=brief", "task.path=samples.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (first, _) = map(json.loads, (folder / "run" / "results.jsonl").read_text().splitlines())
    steps = json.loads(FILES["samples.json"])[0]["steps"]
    assert first["scores"] == pytest.approx([1 / (1 + len(step) / 40) for step in steps])


def test_it_judges_and_searches(folder: Path) -> None:
    done = python(folder, *COMMANDS[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "run" / "summary.json").is_file()
    done = python(folder, *COMMANDS[2], "resume=false")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (folder / "run" / "results.jsonl").read_text("utf-8").split("\n")[:-1]]
    solutions = [solution for row in rows for solution in row["solutions"]]
    assert len(rows) == 2
    for solution in solutions:
        assert len(solution["scores"]) == len(solution["steps"])
        assert all(0 < score < 1 for score in solution["scores"])
        assert solution["score"] == min(solution["scores"])


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["verifier=yes_no", "verifier.codec.label=x"], "verifier.codec.label"),
        # The known format with another token, for a model whose tokenizer does not have it.
        (
            ["verifier=mine", "verifier.engine.model=${package:verifiers.embedded}/checkpoint"],
            "verifier.codec.separator=<step>: it is",
        ),
    ],
)
def test_what_does_not_fit_is_one_message(folder: Path, overrides: list[str], says: str) -> None:
    done = python(folder, "tts.judge", "--config-dir", "conf", "task.path=samples.json", "dry_run=true", *overrides)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
