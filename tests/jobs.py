"""Runs jobs of the command line in this process, each with a host of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from tts.cli.export_command import run_export
from tts.cli.filter_command import run_filter
from tts.cli.host import Host
from tts.cli.judge_command import run_judge
from tts.cli.label_command import run_label
from tts.cli.plan_command import run_plan
from tts.cli.search_command import run_search
from tts.cli.synthesize_command import run_synthesize
from tts.cli.train_command import run_train
from tts.evaluation.job import SearchJob, compose_job
from tts.runtime.composition import Composition
from tts.runtime.resources import Resources


def compose(config: dict[str, Any], identity: str = "") -> Composition:
    """Composes the search that a configuration describes."""
    return composed_job(config, identity).search


def composed_job(config: dict[str, Any], identity: str = "") -> SearchJob:
    """Composes the run that a configuration describes."""
    return compose_job(config, identity, Resources())


def search_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Runs a search over a task and returns the exit status."""
    return _run(run_search, config, identity, folder, console)


def judge_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Has labelled solutions judged and returns the exit status."""
    return _run(run_judge, config, identity, folder, console)


def label_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Has the steps of solutions labelled and returns the exit status."""
    return _run(run_label, config, identity, folder, console)


def synthesis_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Has rationales written and returns the exit status."""
    return _run(run_synthesize, config, identity, folder, console)


def filter_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Has rationales filtered and returns the exit status."""
    return _run(run_filter, config, identity, folder, console)


def export_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Writes training data in another format and returns the exit status."""
    return _run(run_export, config, identity, folder, console)


def plan_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Plans a run and returns the exit status."""
    return _run(run_plan, config, identity, folder, console)


def train_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Trains a verifier and returns the exit status."""
    return _run(run_train, config, identity, folder, console)


def _run(job: Callable[[Host, dict[str, Any], str, Path, Console], int], *arguments: Any) -> int:
    host = Host()
    try:
        return job(host, *arguments)
    finally:
        host.close()
