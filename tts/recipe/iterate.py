"""The command `tts recipe iterate NAME [overrides]`: rounds of a recipe, each with the verifier of the round before."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_ABOUT = """\
Runs a recipe round after round, each in a folder of its own. From the second
round on, the verifier that the round before trained judges the steps of new
solutions beside the completions, and writes the rationales; the recipe's file
says how (`later`). All rounds train the same base, and judge the same held-out
solutions.

It ends when the held-out F1 of `patience` rounds in a row is no higher than the
highest before them, or after `rounds`.

  tts recipe iterate genprm size=embedded rounds=3"""
_SETTINGS = """\
  rounds=4             the most rounds
  patience=1           rounds without a higher F1 that end it
  and those of tts recipe; each holds for all rounds"""


@dataclass(frozen=True)
class Round:
    """The outcome of a round.

    Attributes:
        number: From 1.
        f1: The first-error F1 of its verifier on the held-out solutions; None if there is none.
        model: The verifier's model.
    """

    number: int
    f1: float | None
    model: str


def parser() -> argparse.ArgumentParser:
    """Returns the command's parser, for help and completion."""
    from tts.recipe.request import parser

    return parser("tts recipe iterate", _ABOUT, _SETTINGS)


def best(rounds: Sequence[Round]) -> Round:
    """Returns the round with the highest F1, the first of equals."""
    return max(rounds, key=lambda one: -1.0 if one.f1 is None else one.f1)


def ends(rounds: Sequence[Round], patience: int) -> bool:
    """Whether the last rounds, as many as `patience`, were no better than the best before."""
    return len(rounds) - best(rounds).number >= patience if rounds else False


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    # Only after the import order is fixed: `python -m` puts the current directory first.
    from tts.core.settings import PositiveInt
    from tts.core.terminal import Terminal
    from tts.files.objects import read_object
    from tts.files.writing import write_whole, writing
    from tts.recipe.plan import print_plan
    from tts.recipe.recipe import read_recipe
    from tts.recipe.request import request
    from tts.recipe.running import run

    if not arguments or {"-h", "--help"} & set(arguments):
        parser().print_help()
        return 0
    console = Terminal()
    asked = request("tts recipe iterate", arguments, {"rounds": (PositiveInt, 4), "patience": (PositiveInt, 1)})
    most, patience = int(str(asked.own["rounds"])), int(str(asked.own["patience"]))
    base = asked.folder if asked.own["dir"] else asked.folder.with_name(f"{asked.folder.name}-rounds")
    rounds: list[Round] = []
    # A mistake in what only a later round does must not wait until then.
    read_recipe(asked.name, asked.overrides, asked.size, later=True)
    for number in range(1, most + 1):
        recipe = read_recipe(asked.name, asked.overrides, asked.size, later=number > 1)
        folder, before, first = (base / f"round_{one}" for one in (number, number - 1, 1))
        steps = recipe.steps(
            folder,
            round=number,
            before={name: str(before / name) for name in recipe.stages},
            first={name: str(first / name) for name in [*recipe.stages, "held_out"]},
        )
        if asked.own["dry_run"]:
            console.print(f"the first of at most {most} rounds")
            return print_plan(steps, console)
        console.rule(f"round {number}")
        status = run(steps, folder, asked.again, console)
        if status:
            return status
        f1 = read_object(steps[-1].folder / "summary.json").get("f1")
        rounds.append(Round(number, f1 if isinstance(f1, float) else None, str(folder / "train/model")))
        chosen = best(rounds)
        with writing(base):
            told = {"rounds": [asdict(one) for one in rounds], "best": chosen.number}
            write_whole(base / "rounds.json", json.dumps(told, indent=2) + "\n")
        if ends(rounds, patience):
            break
    for one in rounds:
        console.print(f"round {one.number}: F1 {'-' if one.f1 is None else f'{one.f1:.3f}'}", highlight=False)
    console.print(f"best: {best(rounds).model}", markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["recipe", "iterate", *sys.argv[1:]]))
