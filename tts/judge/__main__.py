"""The command line: `python -m tts.judge [overrides]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tts.cli.command import command
from tts.judge.app import run_job


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    return command("judge", run_job, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
