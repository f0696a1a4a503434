"""What a recipe would do: the plan of each stage, or a bound where what it reads is not there yet."""

from __future__ import annotations

from rich.console import Console

from tts.recipe.recipe import Recipe, Step
from tts.recipe.running import identities, started


def describe(recipe: Recipe, console: Console) -> None:
    """Prints what a recipe consists of."""
    lines = [f"{recipe.name}: {recipe.about}", f"sizes: {', '.join(recipe.sizes)}", "", f"size {recipe.size}"]
    lines += [f"  {name}: {value}" for name, value in recipe.settings.items()]
    for name, settings in recipe.stages.items():
        lines += ["", f"stage {name}: tts {settings['command']}"]
        lines += [f"  {key}={value}" for key, value in settings.items() if key != "command"]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def print_plan(steps: list[Step], console: Console) -> int:
    """Prints the plan of each stage, and returns the exit status: the highest of theirs.

    Raises:
        UserError: A stage's settings cannot be.
    """
    identities(steps)
    status = 0
    for number, step in enumerate(steps, 1):
        console.rule(f"{number} of {len(steps)}: {step.name}")
        missing = [path for path in step.inputs if not path.exists()]
        if missing:
            console.print(f"{missing[0]} is not there yet", markup=False, highlight=False, soft_wrap=True)
            continue
        status = max(status, started(step, "dry_run=true", console))
    return status
