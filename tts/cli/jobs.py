"""The jobs of a command: each runs the configuration that Hydra composed in its directory."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from tts.cli.failures import ErrorLog, print_error
from tts.cli.hiding import clean, without_secrets
from tts.cli.host import Host
from tts.cli.objective import Objective
from tts.cli.run_directory import RunDirectory
from tts.cli.sweep import Sweep
from tts.config.build import Config, build, config_hash
from tts.config.keys import check_top_level, needed, top_level
from tts.config.refusals import refusal
from tts.config.resolvers import sweeping
from tts.config.targets import check_targets, named
from tts.core.errors import RunError, UserError
from tts.core.secrets import Secrets
from tts.core.terminal import Terminal
from tts.files.writing import of_files, refused

RunJob = Callable[[Host, Config, str, Path, Console], int]
"""Takes the host, a resolved configuration, its hash, the run directory and the console; returns the exit status."""

_log = logging.getLogger(__name__)


class Jobs:
    """Hydra's task function. A launcher may copy it to its own process.

    Args:
        run_job: Runs one job.
        primary: The file of the command's primary configuration.
        overwrites: Whether a job that does not resume overwrites the results in its directory. Others always resume, and
            know what of it is theirs by the keys of the records.
    """

    def __init__(self, run_job: RunJob, primary: Path, overwrites: bool) -> None:
        self.host = Host()
        self.sweep = Sweep()
        self.statuses: list[int] = []
        """The exit statuses of the jobs that ran in this process."""
        self.folder: Path | None = None
        """The directory of the last of them."""
        self._run_job = run_job
        self._settings, self._needed = top_level(primary), needed(primary)
        self._overwrites = overwrites

    def __call__(self, config: DictConfig) -> float | None:
        """Runs a job; returns the objective for an optimising sweeper."""
        status, objective = self._run(config)
        self.statuses.append(status)
        return objective

    def check(self, config: Mapping[str, object]) -> None:
        """Raises UserError if a configuration sets an unknown setting, or lacks one that every run needs."""
        check_top_level(config, self._settings, self._needed)

    def refusal(self, config: DictConfig) -> str:
        """Returns why a cell cannot run, as far as a dry run tells; an empty text if nothing speaks against it."""
        console, errors = Terminal(file=io.StringIO()), ErrorLog()
        console.push_render_hook(errors)
        try:
            plain: Config = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)  # type: ignore[assignment]
            self._run_job(self.host, {**plain, "dry_run": True}, "", Path(), console)
        except Exception:  # a bug, or nothing that can be composed: its cell reports it
            return ""
        return "; ".join(errors.messages)

    def _run(self, config: DictConfig) -> tuple[int, float | None]:
        """Runs a job; returns its exit status and its objective for a sweeper."""
        try:
            plain: Config = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)  # type: ignore[assignment]
        except OmegaConfBaseException as error:  # a reference to nothing, or in a circle
            print_error(Terminal(stderr=True), refusal(error))
            return 2, None
        folder = self.folder = Path(HydraConfig.get().runtime.output_dir)
        secrets = Secrets(plain)
        with without_secrets(secrets):
            for place in (folder / ".hydra", *([Path(HydraConfig.get().sweep.dir)] if sweeping() else ())):
                clean(place, secrets)
            return self._unless_finished(config, plain, folder, secrets)

    def _unless_finished(
        self, config: DictConfig, plain: Config, folder: Path, secrets: Secrets
    ) -> tuple[int, float | None]:
        console, errors = Terminal(), ErrorLog()
        console.push_render_hook(errors)
        try:
            if self.sweep.on and not plain.get("dry_run"):  # a dry run leaves no status
                self.sweep.add(folder)
            identity = config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
            cell = RunDirectory(folder, identity)
            self.check(plain)
            check_targets(plain, named(HydraConfig.get().overrides.task))
            wanted = plain.get("objective")
            objective: Objective | None = None if wanted is None else build(wanted, "objective", role=Objective)
            if plain["dry_run"]:
                return self._run_job(self.host, plain, identity, folder, console), None
            if self.sweep.leaves(folder):
                failure = cell.failure()
                return (0, cell.objective(objective)) if failure is None else (failure[0], None)
            with cell.alone():
                if plain.get("resume"):
                    if self._overwrites:
                        cell.check()
                    if cell.finished:
                        console.print(f"[dim]finished before: {folder}[/dim]", soft_wrap=True)
                        return 0, cell.objective(objective)
                elif self._overwrites and not _told_to("resume"):
                    cell.check_empty()
                cell.begin()
                with self.host.interruption.leaving(cell.interrupt):
                    status = self._guarded(plain, identity, folder, console, errors)
                try:
                    cell.end(status, [secrets.hide(message) for message in errors.messages])
                except RunError:
                    if not status:  # otherwise the reason was told
                        raise
                # Results of only the problems that did not fail do not measure the run.
                return status, None if status else cell.objective(objective)
        except UserError as error:
            print_error(console, str(error))
            return 2, None
        except OSError as error:
            return _told(error, console), None

    def _guarded(self, config: Config, identity: str, folder: Path, console: Console, errors: ErrorLog) -> int:
        """Runs a job; in a sweep, its failure does not stop the others."""
        try:
            with self.host.interruption.unmasked():
                return self._run_job(self.host, config, identity, folder, console)
        except OSError as error:
            return _told(error, console)
        except Exception as error:
            if not sweeping():
                raise
            _log.exception("%s", folder)
            errors.messages.append(f"{type(error).__name__}: {error}")
            return 1


def _told_to(setting: str) -> bool:
    """Whether the command line sets a setting."""
    return any(override.partition("=")[0] == setting for override in HydraConfig.get().overrides.task)


def _told(error: OSError, console: Console) -> int:
    """Prints what the system refused, and returns the exit status; raises an error that is not about files."""
    if not of_files(error):
        raise error
    print_error(console, refused(error))
    return 2
