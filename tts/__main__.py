"""The command line: `python -m tts [overrides]`."""

from __future__ import annotations

from tts.app import run_job
from tts.command import command

if __name__ == "__main__":
    command("config", run_job)
