"""The commands of this project, run in a directory of a test's own."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests import program

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, module: str, *arguments: str) -> tuple[int, str]:
    """Runs `python -m MODULE ARGUMENTS` in a directory; returns its exit status and what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = program.run("-m", module, *arguments, folder=folder)
    return done.returncode, done.stdout + done.stderr


def installed(plug_in: str) -> bool:
    """Whether a plug-in of Hydra's is there."""
    try:
        importlib.import_module(f"hydra_plugins.{plug_in}")
    except ImportError:
        return False
    return True
