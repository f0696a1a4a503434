"""Searches whose model servers an executor starts: simulated ones in real time, at addresses of their own."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.executors.raylets import ancestors
from tests.jobs import search_job
from tts.config.compose import configuration

ROOT = Path(__file__).resolve().parents[2]

ASKS = (
    *("policy=qwen2.5-math", "engine@policy.engine=openai", "policy.engine.dialect=completions"),
    *("policy.engine.model=simulated", "search=majority", "search.n=3", "sandbox=none", "verifier=random"),
)
"""A search that asks a server."""


def command(*overrides: str) -> str:
    """Returns the setting of a command that starts such a server."""
    options = " ".join(("policy.engine.model={model}", *overrides))
    return f'"{sys.executable} -m benchmarks.simserver --host {{host}} --port {{port}} {options}"'


def served(replicas: int, *overrides: str, **settings: object) -> tuple[str, ...]:
    """Returns the overrides for so many servers of the policy, and two small workers."""
    chosen = {"replicas": replicas, "resources.GPU": 0, "resources.CPU": 0.1, "pause": 0.1, **settings}
    more = (f"executor.serve.policy.{name}={value}" for name, value in chosen.items())
    small = ("executor=ray", "executor.workers=2", "executor.resources.CPU=0.1", "in_flight.problems=4")
    return (*small, f"executor.serve.policy.command={command(*overrides)}", *more)


def search(folder: Path, *overrides: str) -> tuple[int, str]:
    """Runs a search in this process; returns its exit status and what it printed."""
    config, identity = configuration("config", [*ASKS, *overrides])
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return search_job({**config}, identity, folder, Console(file=out, width=500)), out.getvalue()


def servers_of(folder: Path) -> list[dict[str, Any]]:
    """Returns what a run's summary says of its servers."""
    found: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text("utf-8"))["executor"]["servers"]
    return found


def done(folder: Path) -> int:
    """Returns the number of records that a run has."""
    path = folder / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def listening_on() -> dict[int, int]:
    """Returns the simulated servers that live below this process, each process by its port."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        # Not their keepers, whose command line has this, too.
        if words[1:3] == ["-m", "benchmarks.simserver"] and os.getpid() in ancestors(int(place.name)):
            found[int(words[words.index("--port") + 1])] = int(place.name)
    return found
