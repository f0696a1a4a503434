"""What a command line asks of a recipe."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tts.core.annotations import fit
from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.files.paths import expanded
from tts.recipe.recipe import SIZE, names, read_recipe

_DIR = "dir"
_OWN: Mapping[str, tuple[object, object]] = {
    _DIR: (str | None, None),
    "size": (str, SIZE),
    "dry_run": (bool, False),
}
"""The types and defaults of settings that are the command's own, not the recipe's."""


@dataclass(frozen=True)
class Request:
    """A command line.

    Attributes:
        command: The command, `tts recipe`.
        name: The recipe.
        own: The command's own settings.
        overrides: What it sets of the recipe.
        arguments: All of the arguments.
    """

    command: str
    name: str
    own: Mapping[str, object]
    overrides: Sequence[str]
    arguments: Sequence[str]

    @property
    def size(self) -> str:
        """The recipe's size."""
        return str(self.own["size"])

    @property
    def folder(self) -> Path:
        """Where it runs."""
        name = Path(self.name).stem if self.name.endswith(".yaml") else self.name
        return expanded(str(self.own["dir"] or Path("recipes", f"{name}-{self.size}")))

    @property
    def again(self) -> str:
        """The same command line."""
        return shlex.join([*self.command.split(), *self.arguments])


def request(
    command: str, arguments: Sequence[str], further: Mapping[str, tuple[object, object]] | None = None
) -> Request:
    """Returns what a command line asks for.

    Args:
        command: The command.
        arguments: A recipe's name, and settings.
        further: Types and defaults of the command's own settings besides those of all commands of recipes.

    Raises:
        UserError: A word is no setting, or a value has the wrong type.
    """
    name, *given = arguments
    known = {**_OWN, **(further or {})}
    own = {key: default for key, (_, default) in known.items()}
    overrides = []
    for word in given:
        key, equals, value = word.partition("=")
        if not equals and ".~" not in key:
            raise UserError(f"{word}: not a setting; they are written as size=embedded or STAGE.SETTING=VALUE")
        if key in known:
            own[key] = fit(_read(value), known[key][0], key) if key != _DIR else value or None
        else:
            overrides.append(word)
    return Request(command, name, own, overrides, arguments)


def _read(value: str) -> object:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def parser(command: str, description: str, settings: str) -> Parser:
    """Returns the parser of a command of recipes, for help and completion.

    Args:
        command: The command.
        description: What it does.
        settings: Its own settings, in words.
    """
    width = max(map(len, names()))
    recipes = "\n".join(f"  {name:{width}}  {read_recipe(name).about}" for name in names())
    parser = Parser(
        prog=command,
        usage=f"{command} NAME [SETTING=VALUE ...] [STAGE.OVERRIDE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=description,
        epilog=f"settings:\n{settings}\n\nrecipes:\n{recipes}",
    )
    parser.add_argument(
        "name", choices=names(), metavar="NAME", help=f"the recipe; {command} NAME --help shows its stages"
    )
    return parser
