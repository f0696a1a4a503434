"""The command `tts recipe NAME [overrides]`, also `python -m tts.recipe NAME [overrides]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

_ABOUT = """\
Trains a verifier by the stages of a recipe, from problems to a model that has
judged held-out solutions. Each stage is a command in a folder of its own; the
same command goes on where a killed one stopped.

  tts recipe genprm size=embedded            tiny models, on the CPU
  tts recipe genprm problems=P.jsonl held_out=H.json dir=runs/genprm
  tts recipe genprm size=embedded labels.rule.eps=0.5 train.seed=1"""
_SETTINGS = """\
  dir=FOLDER           where it runs; recipes/NAME-SIZE unless given
  size=published       the paper's sizes; embedded: tiny models
  dry_run=true         shows what each stage would do and cost
  STAGE.OVERRIDE       an override as the stage's command takes it;
                       STAGE.~KEY leaves out one of the recipe's"""


def parser() -> argparse.ArgumentParser:
    """Returns the command's parser, for help and completion."""
    from tts.recipe.request import parser

    return parser("tts recipe", _ABOUT, _SETTINGS)


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    # Only after the import order is fixed: `python -m` puts the current directory first.
    from tts.core.terminal import Terminal
    from tts.recipe.plan import describe, print_plan
    from tts.recipe.recipe import read_recipe
    from tts.recipe.request import request
    from tts.recipe.running import run

    if not arguments or arguments[0] in ("-h", "--help"):
        parser().print_help()
        return 0
    console = Terminal()
    if "-h" in arguments or "--help" in arguments:
        describe(read_recipe(arguments[0]), console)
        return 0
    asked = request("tts recipe", arguments)
    steps = read_recipe(asked.name, asked.overrides, asked.size).steps(asked.folder)
    if asked.own["dry_run"]:
        return print_plan(steps, console)
    status = run(steps, asked.folder, asked.again, console)
    if not status:
        console.print(f"{asked.folder}: finished", markup=False, highlight=False, soft_wrap=True)
    return status


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["recipe", *sys.argv[1:]]))
