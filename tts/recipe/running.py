"""Runs the stages of a recipe, each by its command in a folder of its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

from tts.cli.failures import print_error
from tts.cli.main import COMMANDS
from tts.cli.run_directory import RunDirectory
from tts.config.build import config_hash
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.files.objects import read_object
from tts.files.writing import check_folder, write_whole, writing
from tts.recipe.recipe import Step, override

FILE = "recipe.json"
"""What ran in a folder: the identity of each stage."""


def identities(steps: Sequence[Step]) -> dict[str, str]:
    """Returns a hash of what the files of each stage depend on: its settings, and the stages that it reads.

    Raises:
        UserError: A setting cannot be.
    """
    found: dict[str, str] = {}
    for step in steps:
        try:
            _, own = configuration(primary(step.command), step.overrides)
        except UserError as error:
            raise UserError(f"stage {step.name} ({step.command}): {error}") from None
        read = [found[before.name] for before in steps if _reads(step, before)]
        found[step.name] = config_hash({"config": own, "reads": read})
    return found


def run(steps: Sequence[Step], folder: Path, again: str, console: Console) -> int:
    """Runs the stages that are not finished, in order.

    Args:
        steps: The stages.
        folder: The recipe's folder.
        again: The command that goes on.
        console: The console.

    Returns:
        0, or the exit status of the first stage that fails, after which none is run.

    Raises:
        UserError: A stage's settings cannot be, or its folder holds something else.
        RunError: A file cannot be written.
    """
    planned = identities(steps)
    _check(steps, planned, folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        check_folder(folder)
        write_whole(folder / FILE, json.dumps(planned, indent=2) + "\n")
    for number, step in enumerate(steps, 1):
        console.rule(f"{number} of {len(steps)}: {step.name}")
        status = started(step, "resume=true", console)
        if status:
            what = "was interrupted" if status >= _SIGNALS else "failed"
            print_error(console, f"stage {step.name} {what} (exit status {status}); when that is mended: {again}")
            return status
    return 0


_SIGNALS = 128
"""The exit status of a command that a signal ended is above this."""


def started(step: Step, further: str, console: Console) -> int:
    """Runs a stage's command as the command line does, and returns the exit status.

    Args:
        step: The stage.
        further: A further override.
        console: Shows the command.
    """
    arguments = [*step.overrides, override("hydra.run.dir", str(step.folder), [str(step.folder)]), further]
    console.print(
        shlex.join(["tts", step.command, *arguments]), style="dim", markup=False, highlight=False, soft_wrap=True
    )
    status: int = import_module(COMMANDS[step.command][0]).main(arguments)
    return status


def primary(command: str) -> str:
    """Returns the primary configuration of a command."""
    name: str = import_module(COMMANDS[command][0]).CONFIG
    return name


def _check(steps: Sequence[Step], planned: Mapping[str, str], folder: Path) -> None:
    """Raises UserError if the folder of a stage holds something else than the stage."""
    ran = read_object(folder / FILE)
    begun = [step for step in steps if RunDirectory(step.folder, "").begun]
    others = [step.folder for step in begun if ran.get(step.name) != planned[step.name]]
    if others:
        raise UserError(
            f"{others[0]}: holds a stage of other settings or input; give this recipe a folder of its own (dir=...), or "
            f"have these stages made anew: rm -r {shlex.join(map(str, others))}"
        )


def _reads(step: Step, before: Step) -> bool:
    return any(path.is_relative_to(before.folder) for path in step.inputs)
