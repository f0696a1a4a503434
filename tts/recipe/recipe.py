"""A recipe: the stages from problems to a trained verifier, as a file of `conf/recipe` describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypedDict, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import tts.config.resolvers  # noqa: F401  recipes are written with them
from tts.config.compose import CONF
from tts.config.keys import unknown
from tts.config.refusals import quoted
from tts.core.errors import UserError
from tts.core.setting_error import nearest
from tts.files.paths import expanded

Value: TypeAlias = str | int | float | bool | Sequence["Value"] | None
"""What a setting is set to."""
Settings: TypeAlias = Mapping[str, Value]
"""Settings and options of groups by name: what stands before and after the `=` of an override."""

FOLDER = CONF / "recipe"
SIZE = "published"
"""The size of a recipe unless another one is chosen."""


def names() -> list[str]:
    """Returns the names of all recipes."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@dataclass(frozen=True)
class Step:
    """A stage of a recipe: a command with its overrides.

    Attributes:
        name: The stage.
        command: The command.
        overrides: Its overrides.
        folder: Where it runs.
        inputs: The files and folders of other stages that it reads.
    """

    name: str
    command: str
    overrides: tuple[str, ...]
    folder: Path
    inputs: tuple[Path, ...]


@dataclass(frozen=True)
class Recipe:
    """A recipe of one size, with what the user has set.

    Attributes:
        name: Its name.
        about: What it makes, in a line.
        size: The size.
        sizes: All sizes.
        settings: What its stages share, by name; `???` has to be set.
        stages: The settings of each stage, `command` among them, in order.
    """

    name: str
    about: str
    size: str
    sizes: tuple[str, ...]
    settings: Settings
    stages: Mapping[str, Settings]

    def steps(self, folder: Path, **further: object) -> list[Step]:
        """Returns the stages to run in a folder, each in one of its own.

        Args:
            folder: The folder.
            **further: Further names that interpolations may use.

        Raises:
            UserError: An interpolation names something that is not set.
        """
        folders = {name: str(folder / name) for name in self.stages}
        shared = OmegaConf.create({**self.settings, "folder": folders, **further, "stages": dict(self.stages)})
        steps = []
        for name in self.stages:
            try:
                node = OmegaConf.to_container(shared.stages[name], resolve=True, throw_on_missing=True)
            except OmegaConfBaseException as error:
                raise UserError(self._unset(name, error)) from None
            assert isinstance(node, dict)
            command = str(node.pop("command"))
            others = [Path(place) for other, place in folders.items() if other != name]
            inputs = (path for value in node.values() for path in _paths(value))
            read = tuple(path for path in inputs if any(path.is_relative_to(other) for other in others))
            made = [folder, *further.values()]
            overrides = tuple(override(str(key), value, _folders(made)) for key, value in node.items())
            steps.append(Step(name, command, overrides, folder / name, read))
        return steps

    def _unset(self, stage: str, error: OmegaConfBaseException) -> str:
        missing = [name for name, value in self.settings.items() if value == "???" and name in str(error)]
        if missing:
            return f"{missing[0]}: not set; tts recipe {self.name} {missing[0]}=... (stage {stage} needs it)"
        return f"recipe {self.name}, stage {stage}: {str(error).splitlines()[0]}"


def read_recipe(name: str, overrides: Sequence[str] = (), size: str = SIZE, later: bool = False) -> Recipe:
    """Returns a recipe.

    Args:
        name: Its name, or the path of a file of the user's, which ends in `.yaml`.
        overrides: `SETTING=VALUE` for what its stages share; `STAGE.` and an override for one of them, as its command
            takes it, or `STAGE.~KEY` to leave out what the recipe sets.
        size: Its size.
        later: Whether it is for a later round of `tts recipe iterate`.

    Raises:
        UserError: There is no such recipe, size, stage or setting, or it has no later rounds.
    """
    content = _content(name)
    sizes = content["sizes"]
    if size not in sizes:
        raise UserError(f"size={size}: recipe {name} has no such size; it has {', '.join(sizes)}")
    own = sizes[size]
    first = stages = merged(content["stages"], own.get("stages", {}))
    if later:
        if "later" not in own:
            raise UserError(
                f"tts recipe iterate {name}: its file does not say what later rounds do (later, beside stages)"
            )
        stages = merged(stages, own["later"])
    settings = {**content.get("settings", {}), **own.get("settings", {})}
    recipe = Recipe(Path(name).stem, content["about"], size, tuple(sizes), settings, stages)
    return _with(recipe, overrides, [stage for stage in first if stage not in stages])


class _Size(TypedDict, total=False):
    """What a file says of a size: settings and stages besides those of all sizes, and those of later rounds."""

    settings: Settings
    stages: Mapping[str, Settings | None]
    later: Mapping[str, Settings | None]


class _Content(TypedDict):
    """What the file of a recipe says, for all sizes and for each."""

    about: str
    settings: Settings
    stages: Mapping[str, Settings]
    sizes: Mapping[str, _Size]


def _content(name: str) -> _Content:
    """Returns what a recipe's file says, on top of what it shares with others.

    Raises:
        UserError: There is no such recipe, or the file is none.
    """
    file = expanded(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not file.is_file():
        near = nearest(name, names())
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names())}; or name a .yaml file"
        raise UserError(f"tts recipe {name}: no such recipe; {hint}")
    try:
        content = OmegaConf.load(file)
        if "shares" in content:
            content = OmegaConf.merge(OmegaConf.load(FOLDER / f"shared/{content.shares}.yaml"), content)
        plain = OmegaConf.to_container(content)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{file}: does not read: {' '.join(str(error).split())}") from None
    if not isinstance(plain, dict) or not {"about", "stages", "sizes"} <= plain.keys():
        raise UserError(f"{file}: not a recipe; it needs about, stages and sizes, as those in {FOLDER} have")
    return cast(_Content, plain)


def merged(stages: Mapping[str, Settings], others: Mapping[str, Settings | None]) -> dict[str, Settings]:
    """Returns stages with what others set in place; without those that are None there."""
    return {
        name: {**own, **(others.get(name) or {})} for name, own in stages.items() if others.get(name, own) is not None
    }


def override(key: str, value: Value, folders: Sequence[str] = ()) -> str:
    """Returns a setting as the command line takes it.

    Args:
        key: The setting.
        value: What it is set to; a text is written as the command line has it.
        folders: What begins with one of these is a path, and may hold any characters.
    """
    return quoted(f"{key}={_text(value, folders)}")


def _text(value: Value, folders: Sequence[str]) -> str:
    if isinstance(value, str):
        return _literal(value) if value.startswith(tuple(folders)) else value
    if isinstance(value, Sequence):
        return f"[{','.join(_text(one, folders) for one in value)}]"
    return json.dumps(value)


def _literal(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else "'{}'".format(text.replace("'", r"\'"))


_PLAIN = re.compile(r"[\w/.+-]+", re.ASCII)
"""A path that needs no quotes."""


def _folders(further: Sequence[object]) -> list[str]:
    """Returns the folders among names, and among the values of mappings."""
    found: list[str] = []
    for one in further:
        if isinstance(one, Mapping):
            found += _folders(list(one.values()))
        elif isinstance(one, Path | str) and str(one) not in ("", "."):
            found.append(str(one))
    return found


def _paths(value: Value) -> list[Path]:
    """Returns what may be paths in a setting."""
    if isinstance(value, str):
        return [Path(value)]
    return [path for part in value for path in _paths(part)] if isinstance(value, Sequence) else []


def _with(recipe: Recipe, overrides: Sequence[str], left_out: Sequence[str]) -> Recipe:
    """Returns a recipe with what the user sets.

    Args:
        recipe: The recipe.
        overrides: What the user sets.
        left_out: Stages that this round leaves out, and with them what is set of them.

    Raises:
        UserError: There is no such stage or setting.
    """
    settings = dict(recipe.settings)
    stages = {name: dict(own) for name, own in recipe.stages.items()}
    for given in overrides:
        key, equals, value = given.partition("=")
        stage, dot, rest = key.partition(".")
        if dot and stage in left_out:
            continue
        if dot and stage in stages and rest.startswith("~") and not equals:
            if rest.removeprefix("~") not in stages[stage]:
                raise UserError(f"{given}: {unknown(rest.removeprefix('~'), list(stages[stage]))}")
            del stages[stage][rest.removeprefix("~")]
        elif dot and stage in stages and equals:
            stages[stage][rest] = value
        elif equals and key in settings:
            settings[key] = value
        else:
            raise UserError(unknown(key, [*settings, *stages]))
    return replace(recipe, settings=settings, stages=stages)
