"""The command line: `python -m tts [overrides]`."""

from __future__ import annotations

from tts.cli.command import command
from tts.cli.search_command import run_search

if __name__ == "__main__":
    command("config", run_search)
