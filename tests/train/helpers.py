"""`tts train` in this process, on tiny models."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import train_job
from tts.config.build import config_hash

needs_train = pytest.mark.skipif(
    find_spec("accelerate") is None, reason="training needs the extra: pip install 'tts-search[train]'"
)
TINY = ("base=fresh", "base.width=32", "base.layers=1", "base.context=256", "sandbox=none")
QUESTION = "A farm starts with 23 hens. How many hens are on the farm now?"


def config_of(*overrides: str) -> tuple[dict[str, Any], str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("train", list(overrides))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain, config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


def train(folder: Path, *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `tts train`."""
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return train_job(*config_of(*overrides), folder, Console(file=out, width=200)), out.getvalue()


def trained(folder: Path, *overrides: str) -> dict[str, Any]:
    """Trains and returns the summary."""
    status, output = train(folder, *overrides)
    assert status == 0, output
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return summary


def written(path: Path, rows: Sequence[object]) -> Path:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def weights(folder: Path) -> dict[str, Any]:
    """Returns the weights of a trained model."""
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(folder / "model" / "model.safetensors")
    return found


def labelled(number: int) -> list[dict[str, Any]]:
    """Rows as of `tts label`: steps that say 7 are wrong, the others are right; every second solution has a wrong one."""
    rows = []
    for index in range(number):
        wrong = index % 2
        steps = [f"Step 1: {index % 5} hens hatch.", f"Step 2: {7 if wrong else index % 6} hens hatch."]
        rows.append(
            {
                "id": f"p{index // 2}#{wrong}",
                "problem": f"p{index // 2}",
                "question": QUESTION,
                "answer": "1",
                "correct": not wrong,
                "steps": steps,
                "label": 1 if wrong else -1,
                "labels": [1, -1 if wrong else 1],
                "values": [0.75, 0.0 if wrong else 1.0],
            }
        )
    return rows


def scores(folder: Path) -> dict[str, list[float]]:
    """Returns the scores that the trained verifier gave the held-out solutions, by id."""
    return {row["id"]: row["scores"] for row in lines(folder / "judge" / "results.jsonl")}


def held_out(path: Path) -> tuple[str, ...]:
    """Overrides that have the trained verifier judge a file."""
    return "task@evaluate=labels", f"evaluate.path={path}"
