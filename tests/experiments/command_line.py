"""The commands of this project in processes that have imported everything beforehand, so that many take seconds."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from pathlib import Path

from tts.cli.command import command
from tts.cli.judge_command import run_judge as judge_job
from tts.cli.search_command import run_search as search_job

_PRELOADED = (
    *("math_verify", "transformers.models.llama.modeling_llama", "tts.engines.transformers.worker", "policies.chat"),
    *("verifiers.generative.genprm", "search.best_of_n", "search.critique_refine"),
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, *_PRELOADED])

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"tts": ("config", search_job), "tts.judge": ("judge", judge_job)}


def run(folder: Path, module: str, *arguments: str) -> tuple[int | None, str]:
    """Runs `python -m MODULE ARGUMENTS` in a directory; returns its exit status and what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.txt"
    process = _context.Process(target=_run, args=(folder, output, module, arguments))
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode, output.read_text("utf-8")


def installed(plug_in: str) -> bool:
    """Whether a plug-in of Hydra's is there."""
    try:
        importlib.import_module(f"hydra_plugins.{plug_in}")
    except ImportError:
        return False
    return True


def _run(folder: Path, output: Path, module: str, arguments: tuple[str, ...]) -> None:
    os.chdir(folder)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv[0] = module
    sys.exit(command(*COMMANDS[module], arguments))
