"""`tts filter` in this process, over rationales that a test makes up."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import filter_job
from tts.config.build import config_hash


def rationale(
    number: int,
    labels: Sequence[int],
    judged: Sequence[int],
    *,
    step: int | None = None,
    sample: int = 0,
    **more: object,
) -> dict[str, Any]:
    """A row about solution `number`, with a turn for each step that it judges, or one for its step."""
    said = [sign for sign in judged if sign]
    wrong = -1 in said
    shown = len(labels) if step is None else step + 1
    verdict = False if wrong else True if step is not None or len(said) == shown else None
    system = {"role": "system", "content": "Judge."}
    turns = [
        turn
        for k, sign in enumerate(said)
        for turn in (
            {"role": "user", "content": f"question {number}, step {k if step is None else step}"},
            {"role": "assistant", "content": f"sample {sample}: {sign}"},
        )
    ]
    made = {
        "id": f"p#{number}{'' if step is None else f'@{step}'}/{sample}",
        "solution": f"p#{number}",
        "step": step,
        "sample": sample,
        "problem": f"Question {number}?",
        "steps": [f"step {k}" for k in range(len(labels))],
        "label": labels.index(-1) if -1 in labels else -1,
        "labels": list(labels),
        "correct": None,
        "judged": list(judged),
        "index": said.index(-1) if wrong else -1,
        "verdict": verdict,
        "tokens": 10,
        "messages": [system, *turns],
        "dropped": None,
        "error": None,
    }
    return {**made, **more}


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def config_of(*overrides: str) -> tuple[dict[str, Any], str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("filter", list(overrides))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain, config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


def run(folder: Path, rows: Sequence[object], *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `tts filter` over the rows."""
    folder.mkdir(exist_ok=True)
    path = write(folder / "rationales.jsonl", rows)
    out = io.StringIO()
    config, identity = config_of(f"rationales={path}", *overrides)
    return filter_job(config, identity, folder, Console(file=out, width=200)), out.getvalue()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read
