"""Run directories to report on."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.report import write_run
from tts.report.__main__ import main

Report = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of 1, 2 and 4 candidates with 1 and 2 votes over the same 20 problems. Do not write into it."""
    folder = tmp_path_factory.mktemp("grid")
    for n in (1, 2, 4):
        for k in (1, 2):
            write_run(folder / f"n{n}k{k}", 0, n, k, 20, trees=True)
    return folder


@pytest.fixture
def report() -> Report:
    """Runs the command; returns its status and what it printed."""

    def run(*arguments: object) -> tuple[int, str]:
        output = io.StringIO()
        status = main([str(argument) for argument in arguments], Console(file=output, width=200))
        return status, output.getvalue()

    return run


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def rewrite(folder: Path, rows: list[dict]) -> None:
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "n_problems": len(rows)}))


def change(path: Path, **values: Any) -> None:
    """Sets values in a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def seeded(folder: Path, name: str, seed: int, n: int) -> Path:
    """Writes a run that differs from others of its N in its seed alone."""
    run = folder / name
    write_run(run, 0, n, 2, 20, trees=False)
    write_run(folder / "other", seed + 1, n, 2, 20, trees=False)  # whose samples are others
    shutil.copy(folder / "other" / "results.jsonl", run / "results.jsonl")
    shutil.rmtree(folder / "other")
    change(run / ".hydra" / "config.yaml", seed=seed)
    (run / ".hydra" / "overrides.yaml").write_text(json.dumps([f"search.n={n}", f"seed={seed}"]))
    change(run / "summary.json", seed=seed)
    return run
