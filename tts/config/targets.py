"""Which classes a configuration may name: importing a module executes it, and so does constructing an object.

A configuration may come from somebody else, so it names classes only: this project's, and those of the user's own modules.
What it names must fit the place where it stands. All of this is known before a module is imported or anything is called.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from tts.config.earlier import present_name
from tts.config.packages import OURS, place_of, theirs
from tts.core.setting_error import SettingError, nearest

PLUGINS = "TTS_PLUGINS"
"""Environment variable: packages whose classes configurations may name, separated by commas."""

_KEY = "_target_"


def given(overrides: Iterable[str]) -> list[dict[str, object]]:
    """Returns what a command line sets, each value by the last part of its setting's name."""
    parser = OverridesParser.create()
    found: list[dict[str, object]] = []
    for override in overrides:
        try:
            parsed = parser.parse_override(override)
        except HydraException:  # a flag; or it is reported when the configuration is composed
            continue
        if not parsed.is_delete() and not parsed.is_sweep_override():
            found.append({parsed.key_or_group.rpartition(".")[2]: parsed.value()})
    return found


def named(overrides: Iterable[str]) -> frozenset[str]:
    """Returns the packages of the classes that a command line names: `mine` of `verifier._target_=mine.Judge`."""
    return frozenset(_package(target) for _, target in targets_of(given(overrides), "") if isinstance(target, str))


def check_targets(config: Mapping[str, object], own: Collection[str]) -> None:
    """Checks the names of all classes in a configuration, wherever they stand; imports nothing.

    Args:
        config: The resolved configuration.
        own: Packages that the user named on the command line.

    Raises:
        SettingError: A name is not one of this project, of a module in the working directory, of `own` or `TTS_PLUGINS`.
    """
    for place, target in targets_of(config, ""):
        if target is None:  # the class's own message says what is missing
            continue
        if not isinstance(target, str):
            raise SettingError(place, f"the name of a class is needed, not {target!r}")
        package = _package(present_name(target))
        if not (package in OURS or is_users(package, own)):
            raise SettingError(
                place,
                f"a configuration may name classes of this project and of your own modules, and {package} is neither: your "
                f"modules are in the working directory, named on the command line ({place}=...), or in ${PLUGINS}",
                target,
            )


def targets_of(value: object, place: str) -> Iterator[tuple[str, object]]:
    """Yields each `_target_` in a configuration, also in lists, with its path."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            path = f"{place}.{key}" if place else str(key)
            if key == _KEY:
                yield path, part
            yield from targets_of(part, path)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, part in enumerate(value):
            yield from targets_of(part, f"{place}[{number}]")


def is_users(package: str, own: Collection[str]) -> bool:
    """Whether a package is the user's by where it is, or because he said so."""
    if not package.isidentifier():
        return False
    given = (name.strip() for name in os.environ.get(PLUGINS, "").split(","))
    if package == "__main__" or package in own or package in given:
        return True
    place = place_of(package)
    return place is not None and place.parent == Path.cwd().resolve()


def located(path: str, where: str, role: object) -> type:
    """Returns the class that a dotted path names. It is not called.

    Args:
        path: The path; a class's earlier name will do.
        where: The setting that holds it, for messages.
        role: What is needed there: a class, a protocol, or any annotation.

    Raises:
        SettingError: It is no class, is defined in another package, or is of no use there.
    """
    try:
        found = _class(present_name(path))
    except Exception as error:
        why = f"cannot be imported ({' '.join(str(error).split())}{theirs(path)}){_meant(path)}"
        raise SettingError(where, why, path) from None
    home = _package(found.__module__)
    if home not in OURS and home != _package(path):
        origin = f"{found.__module__}.{found.__qualname__}"
        raise SettingError(where, f"its module only imports it, from {home}, and {origin} is not yours to name", path)
    if not _fills(found, role, all if home in OURS else any):
        raise SettingError(where, f"a class of this kind is no use here: {_words(role)} is needed", path)
    return found


def of_parts(role: object) -> object:
    """Returns what is needed in a mapping of parts, from the annotation of the whole."""
    form, parts = typing.get_origin(role) or role, typing.get_args(role)
    if form is Annotated:
        return of_parts(parts[0])
    if form in (typing.Union, types.UnionType):
        return next((of_parts(part) for part in parts if part is not types.NoneType), object)
    return parts[1] if form in (Mapping, dict) and parts else object


def _package(path: str) -> str:
    return path.partition(".")[0]


def _class(path: str) -> type:
    *_, last = parts = path.split(".")
    if len(parts) < 2 or not all(map(str.isidentifier, parts)):
        raise ImportError(f"{last!r} is no name of a class in a module")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if end > 1 and error.name == module:  # perhaps a class with a class inside
                continue
            raise
        for name in parts[end:]:
            found = getattr(found, name)
            # Nothing is reached through a module that this one has imported.
            if not inspect.isclass(found):
                raise TypeError(f"{name} is no class")
        assert inspect.isclass(found)
        return found
    raise ImportError(path)


def _meant(path: str) -> str:
    """Returns a hint at the class of the same module that is probably meant; empty if none is similar."""
    module, _, name = path.rpartition(".")
    try:
        held = vars(importlib.import_module(module))
    except Exception:  # any error of a foreign module; the caller has reported it
        return ""
    near = nearest(name, (key for key, value in held.items() if inspect.isclass(value)))
    return "" if near is None else f"; did you mean '{module}.{near}'?"


def _fills(found: type, role: object, enough: Callable[[Iterable[bool]], bool]) -> bool:
    """Whether objects of a class may be what is needed; they are checked in full once they exist.

    Args:
        found: The class.
        role: As for `located`.
        enough: Which of the role's methods a class needs that is not derived from it: `all`, or `any` for one whose author
            is told what it lacks.
    """
    form, parts = typing.get_origin(role) or role, typing.get_args(role)
    if form is Annotated:
        return _fills(found, parts[0], enough)
    if form in (typing.Union, types.UnionType):
        return any(_fills(found, part, enough) for part in parts)
    if not isinstance(form, type) or form in found.__mro__:
        return True  # a type variable, a name that is known to type checkers only, or a base class
    methods = _methods(form)
    has = {name for kind in found.__mro__ for name in vars(kind)}
    return bool(methods) and enough(name in has for name in methods)


def _methods(role: type) -> set[str]:
    """Returns the methods of a class of this project; none for a number, a text, a mapping."""
    held = [vars(kind) for kind in role.__mro__ if _package(kind.__module__) not in sys.stdlib_module_names]
    functions = {name for members in held for name, value in members.items() if inspect.isfunction(value)}
    return {name for name in functions - set(dir(object)) if name[0] != "_" or name[:2] == "__"}


def _words(role: object) -> str:
    form, parts = typing.get_origin(role) or role, typing.get_args(role)
    if form is Annotated:
        return _words(parts[0])
    if form in (typing.Union, types.UnionType):
        return " or ".join(map(_words, parts))
    return getattr(form, "__name__", str(form))
