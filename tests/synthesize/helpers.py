"""`tts synthesize` in this process, with writers that follow a script."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import synthesis_job
from tts.config.build import config_hash

SANDBOX = ("sandbox=none", "sandbox._target_=tests.verifiers.helpers.InProcessSandbox")
GENPRM = (*SANDBOX, "writer=genprm", "writer.chat=chatml")
REASONER = "tests.synthesize.scripted.Reasoner"
CRITIC = "tests.synthesize.scripted.Critic"


def label_rows(count: int = 6, word: str = "") -> list[dict[str, Any]]:
    """Rows of a labels file: solution k has its first wrong step at `k % 3 - 1`."""
    made = []
    for number in range(count):
        label = number % 3 - 1
        steps = [f"Step {i + 1}: {word}{number}.{i}" + (" is wrong" if i == label else "") for i in range(3)]
        labels = [1 if label < 0 or i < label else -1 for i in range(3)]
        made.append(
            {
                "id": f"p#{number}",
                "problem": "p",
                "question": f"Question {number}?",
                "answer": str(number),
                "steps": steps,
                "label": label,
                "labels": labels,
                "correct": label < 0,
            }
        )
    return made


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def engine(target: str, **settings: object) -> list[str]:
    """Overrides that make a class the writer's engine."""
    given = ", ".join(f"{name}: {value}" for name, value in {"_target_": target, **settings}.items())
    return ["~writer.engine", f"+writer.engine={{{given}}}"]


def config_of(*overrides: str) -> tuple[dict[str, Any], str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("synthesize", list(overrides))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain, config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


def synthesize(folder: Path, *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `tts synthesize`."""
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return synthesis_job(*config_of(*overrides), folder, Console(file=out, width=200)), out.getvalue()


def rationales(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rationales.jsonl").read_text("utf-8").splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read


def timeless(folder: Path) -> list[dict[str, Any]]:
    """Returns the records without their times."""
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in rationales(folder)]
