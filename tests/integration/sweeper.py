"""`python -m tts` in a process that has imported everything beforehand, so that many can be started and killed in a test."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import policies.chat  # noqa: F401  what a run of the tests below would import
import verifiers.generative.genprm  # noqa: F401
from tts.cli.command import command
from tts.cli.search_command import run_search

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(output: Path, *arguments: str, largest_file: int = resource.RLIM_INFINITY) -> BaseProcess:
    """Starts the command with all that it says going to a file.

    Args:
        output: The file.
        arguments: Of the command.
        largest_file: Bytes that a file may have.
    """
    process = _context.Process(target=_run, args=(output, arguments, largest_file))
    process.start()
    return process


def _run(output: Path, arguments: tuple[str, ...], largest_file: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.exit(command("config", run_search, arguments))
