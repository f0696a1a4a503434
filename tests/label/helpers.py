"""`tts label` in this process, over simulated engines in virtual time."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import label_job
from tts.config.build import config_hash

SIMULATED = (
    "engine@policy.engine=simulated",
    "policy=simulated",
    "engine@completer.engine=simulated",
    "policy@completer=simulated",
    "sandbox=none",
    "clock=virtual",
    "task.limit=6",
    "sampling.keep=8",
    "sampling.first=16",
    "sampling.batch=8",
    "sampling.most=64",
    "completions=fixed",
)


def config_of(*overrides: str) -> tuple[dict[str, Any], str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("label", [*SIMULATED, *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain, config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


def label(folder: Path, *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `tts label`."""
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return label_job(*config_of(*overrides), folder, Console(file=out, width=200)), out.getvalue()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read


def timeless(folder: Path) -> list[dict[str, Any]]:
    """Returns the records without their times."""
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in lines(folder / "results.jsonl")]
