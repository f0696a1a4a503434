"""The command `tts plan [overrides]`, also `python -m tts.planning [overrides]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tts.cli.host import Host
    from tts.config.build import Config

CONFIG = "plan"
"""The primary configuration."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    # Only after the import order is fixed: `python -m` puts the current directory first.
    from tts.cli.command import command

    return command(CONFIG, run_job, arguments)


def run_job(host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
    """Runs one job; its imports are done here, only when needed."""
    from tts.cli.plan_command import run_plan

    return run_plan(host, config, identity, folder, console)


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["plan", *sys.argv[1:]]))
