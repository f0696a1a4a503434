"""A command line of this project: a Hydra configuration in, one job or a sweep of them, an exit status out."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from tts.cli.host import Host
from tts.cli.objective import Objective
from tts.cli.run_directory import RunDirectory
from tts.cli.sweep import Sweep
from tts.config.build import build, config_hash
from tts.config.resolvers import sweeping
from tts.core.errors import UserError

RunJob = Callable[[Host, dict[str, Any], str, Path, Console], int]
"""From what the process holds, a resolved configuration, its hash, the run directory and the terminal to the exit status."""


Run = Callable[[dict[str, Any], str, Path, Console], int]

_PLUG_INS = {
    "optuna": "'tts-search[optuna]'",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}
"""Hydra's sweepers and launchers that are packages of their own, by option, and what to install."""

# By its place: as a package, a `conf` of the user's in the current directory may go before it (editable installs).
_CONF = str(Path(__file__).resolve().parents[2] / "conf")
_log = logging.getLogger(__name__)
_told: list[str] = []
"""What the user was told of mistakes and failures in the job that runs."""


def command(config_name: str, run_job: RunJob) -> None:
    """Runs the job, or the jobs of a sweep, and exits with the highest status among them.

    Args:
        config_name: The primary configuration in `conf`.
        run_job: Runs one job.
    """
    statuses: list[int] = []
    host = Host()

    def job(config: DictConfig) -> float | None:
        status, objective = _run(config, partial(run_job, host))
        statuses.append(status)
        return objective

    # Lets Hydra's own errors through to here, where they become one message.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        _rounds(hydra.main(version_base="1.3", config_path=_CONF, config_name=config_name)(job))
    except (HydraException, OmegaConfBaseException) as error:
        print_error(Console(stderr=True), _plug_in(str(error)) or str(error).strip())
        statuses.append(2)
    except KeyboardInterrupt:
        print_error(Console(stderr=True), "interrupted; finished problems are kept in results.jsonl")
        sys.exit(130)
    except Exception as error:
        # No cell raises in a sweep (`_guarded`): this is the launcher's or the sweeper's, as where a process of theirs died.
        if Sweep.running is None:
            raise
        _tell_stopped(Sweep.running, error)
        statuses.append(1)
    finally:
        host.close()
        # A launcher may have run the jobs of a sweep elsewhere.
        failures = {} if Sweep.running is None else Sweep.running.failures()
    if failures:
        print_error(
            Console(), f"{len(failures)} of the sweep's runs failed; the same command runs them again, and only them"
        )
        for folder, (_, reason) in failures.items():
            Console().print(f"  {folder.name}: {reason}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(max((*statuses, *(status for status, _ in failures.values())), default=0))


def _rounds(launch: Callable[[], None]) -> None:
    """Runs the job, or the sweep in as many rounds as it takes.

    Raises:
        BrokenProcessPool: A process of the launcher's pool died, and there is nothing to go on with.
    """
    again = True
    while again:
        try:
            launch()
            again = Sweep.running is not None and Sweep.running.another_round(broken=False)
        except BrokenProcessPool as error:
            if Sweep.running is None or not Sweep.running.another_round(broken=True):
                raise
            _tell_stopped(Sweep.running, error, "; the sweep goes on with other cells")


def _tell_stopped(sweep: Sweep, error: Exception, then: str = "") -> None:
    """Says that the launcher or the sweeper stopped, rather than a cell; what it said goes to a file."""
    reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    log = sweep.note("".join(traceback.format_exception(error)))
    print_error(Console(stderr=True), f"what runs the sweep's cells stopped ({reason}); see {log}{then}")


def _plug_in(error: str) -> str | None:
    """Returns what to say where Hydra did not find a sweeper or launcher that is a package of its own."""
    missing = re.search(r"Could not find '(hydra/(?:launcher|sweeper))/(\w+)'", error)
    if missing is None or missing[2] not in _PLUG_INS:
        return None
    return (
        f"{missing[1]}={missing[2]} is a plug-in of Hydra's that is not installed: pip install {_PLUG_INS[missing[2]]}"
    )


def _run(config: DictConfig, run_job: Run) -> tuple[int, float | None]:
    """Runs a job unless it was finished before; returns its exit status and what an optimising sweeper is told of it."""
    console = Console()
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)  # type: ignore[assignment]
    identity = config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    folder = Path(HydraConfig.get().runtime.output_dir)
    if plain["dry_run"]:
        return run_job(plain, identity, folder, console), None
    cell = RunDirectory(folder, identity)
    try:
        objective: Objective = build(plain["objective"], "objective")
        if Sweep.running is not None and Sweep.running.leaves(folder):
            failure = cell.failure()
            return (0, cell.objective(objective)) if failure is None else (failure[0], None)
        with cell.alone():
            if plain["resume"]:
                cell.check()
                if cell.finished:
                    console.print(f"[dim]finished before: {folder}[/dim]", soft_wrap=True)
                    return 0, cell.objective(objective)
            cell.begin()
            _told.clear()
            status = _guarded(run_job, plain, identity, folder, console)
            cell.end(status, _told)
            # What is known of the problems that did not fail is no measure of the run.
            return status, None if status else cell.objective(objective)
    except UserError as error:
        print_error(console, str(error))
        return 2, None


def _guarded(run_job: Run, config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Runs a job; in a sweep, no fault of it keeps the others from being run."""
    try:
        return run_job(config, identity, folder, console)
    except Exception as error:
        if not sweeping():
            raise
        _log.exception("%s", folder)
        _told.append(f"{type(error).__name__}: {error}")
        return 1


def print_error(console: Console, message: str) -> None:
    """Prints an error message."""
    _told.append(message)
    console.print("[bold red]error:[/bold red] ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
