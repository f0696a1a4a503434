"""The command line: `python -m tts [overrides]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tts.cli.command import command
from tts.evaluation.job import run_job


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    return command("config", run_job, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
