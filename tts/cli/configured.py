"""A command that Hydra configures, by the names of its configuration and of its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tts.cli.host import Host
    from tts.cli.jobs import RunJob
    from tts.config.build import Config


@dataclass(frozen=True)
class Configured:
    """The `main` of a command; what it needs is imported only when it runs, and its job's only when a job runs.

    `python -m` puts the current directory first: before the order of imports is fixed a user's modules would be found.

    Attributes:
        config: The primary configuration.
        job: The path of the function that runs one job.
        overwrites: As of `tts.cli.command.command`.
    """

    config: str
    job: str
    overwrites: bool = False

    def __call__(self, arguments: Sequence[str]) -> int:
        """Runs the command and returns its exit status."""
        from tts.cli.command import command

        return command(self.config, self.run_job, arguments, overwrites=self.overwrites)

    def run_job(self, host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
        """Runs one job and returns its exit status."""
        module, _, name = self.job.rpartition(".")
        run: RunJob = getattr(import_module(module), name)
        return run(host, config, identity, folder, console)
