"""`python -m tts` in a process that starts in a moment, so that many can be started and killed in a test."""

from __future__ import annotations

import os
import resource
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import program
from tts.cli.command import command
from tts.cli.search_command import run_search


def start(output: Path, *arguments: str, largest_file: int = resource.RLIM_INFINITY) -> BaseProcess:
    """Starts the command with all that it says going to a file.

    Args:
        output: The file.
        arguments: Of the command.
        largest_file: Bytes that a file may have.
    """
    process = program.context.Process(target=_run, args=(output, arguments, largest_file))
    process.start()
    return process


def _run(output: Path, arguments: tuple[str, ...], largest_file: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.exit(command("config", run_search, arguments))
