"""What a recipe would do: the plan of each stage, or that of a part where what it reads is not there yet."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.label.job import compose_label
from tts.recipe.recipe import Recipe, Step
from tts.recipe.running import identities, primary, started
from tts.runtime.runtime import Runtime

_LABELS = "labels.jsonl"
_STEPS = 10
"""Steps of the solution that stands in for those that are not there yet."""


def describe(recipe: Recipe, console: Console) -> None:
    """Prints what a recipe consists of."""
    lines = [f"{recipe.name}: {recipe.about}", f"sizes: {', '.join(recipe.sizes)}", "", f"size {recipe.size}"]
    lines += [f"  {name}={value}" for name, value in recipe.settings.items()]
    for name, settings in recipe.stages.items():
        lines += ["", f"stage {name}: tts {settings['command']}"]
        lines += [f"  {key}={value}" for key, value in settings.items() if key != "command"]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def print_plan(steps: Sequence[Step], console: Console) -> int:
    """Prints the plan of each stage, and returns the highest exit status of their commands.

    A stage that reads labels which are not there yet is planned for one solution; one that reads anything else is not.

    Raises:
        UserError: A stage's settings cannot be.
    """
    identities(steps)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, step in enumerate(steps, 1):
            console.rule(f"{number} of {len(steps)}: {step.name}")
            missing = [path for path in step.inputs if not path.exists()]
            if any(path.name != _LABELS or primary(step.command) == "train" for path in missing):
                console.print(
                    f"reads {missing[0]}, which is not there yet", markup=False, highlight=False, soft_wrap=True
                )
                continue
            for path in missing:
                most = asyncio.run(_solutions(next(before for before in steps if path.is_relative_to(before.folder))))
                console.print(f"for one solution of {_STEPS} steps; there are at most {most:,}:", highlight=False)
                step = _with_stand_in(step, path, Path(folder))
            status = max(status, started(step, "dry_run=true", console))
    return status


async def _solutions(step: Step) -> int:
    """Returns the most solutions that a stage labels."""
    async with Runtime() as runtime:
        try:
            return compose_label(
                *configuration(primary(step.command), step.overrides), runtime.resources
            ).most_solutions
        except UserError as error:
            raise UserError(f"stage {step.name} ({step.command}): {error}") from None


def _with_stand_in(step: Step, path: Path, folder: Path) -> Step:
    """Returns a stage that reads one solution in place of a file that is not there."""
    row = {"id": "a#0", "question": "?", "steps": ["?"] * _STEPS, "labels": [1] * _STEPS, "correct": True}
    stand_in = folder / _LABELS
    stand_in.write_text(json.dumps(row) + "\n", "utf-8")
    return replace(step, overrides=tuple(one.replace(str(path), str(stand_in)) for one in step.overrides))
