"""The command line: `python -m tts [overrides]`."""

from __future__ import annotations

from tts.cli.command import command
from tts.evaluation.job import run_job

if __name__ == "__main__":
    command("config", run_job)
