"""The command line: `python -m tts.judge [overrides]`."""

from __future__ import annotations

from tts.cli.command import command
from tts.cli.judge_command import run_judge

if __name__ == "__main__":
    command("judge", run_judge)
