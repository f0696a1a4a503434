"""The names of settings, and suggestions for unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypedDict, cast

from tts.config.yaml_files import read_yaml
from tts.core.errors import UserError

_OPTIONAL = ("bank", "resume", "objective")
"""Settings that a run may do without."""


def top_level(primary: Path) -> list[str]:
    """Returns the valid settings and groups: those of the command's primary configuration.

    Args:
        primary: The configuration's file.
    """
    content = _content(primary)
    # The group's name says where an option goes, `engine@policy.engine: ...`; without one it goes nowhere.
    places = (name.rpartition("@")[2].split(".")[0] for name in groups(primary))
    return list(dict.fromkeys([*places, *(name for name in content if name not in ("defaults", "hydra"))]))


def groups(primary: Path, *, unset: bool = False) -> list[str]:
    """Returns the groups in a configuration's defaults, such as `task` and `engine@policy.engine`.

    Args:
        primary: The file of the command's primary configuration.
        unset: Also those without an option.
    """
    entries = (entry for entry in _content(primary)["defaults"] if isinstance(entry, dict))
    return [n for entry in entries for n, option in entry.items() if " " not in n and (unset or option is not None)]


def needed(primary: Path) -> list[str]:
    """Returns the settings of a command's primary configuration that every run reads; groups have messages of their own."""
    of_groups = {name.rpartition("@")[2].split(".")[0] for name in groups(primary)}
    return [name for name in _content(primary) if name not in ("defaults", "hydra", *_OPTIONAL, *of_groups)]


def check_top_level(config: Mapping[str, object], settings: Collection[str], needed: Collection[str] = ()) -> None:
    """Raises UserError if a configuration sets an unknown setting (`null` sets nothing), or lacks a needed one."""
    if taken := [name for name in needed if name not in config]:
        raise UserError(f"the configuration has no {', '.join(taken)}; leave out ~{' and ~'.join(taken)}")
    for key, value in config.items():
        if value is not None and key not in settings:
            *_, last = names({key: value})
            raise UserError(unknown(last, settings))


def unknown(key: str, settings: Collection[str]) -> str:
    """Returns the message for an unknown setting.

    Args:
        key: Its name, such as `serch.n`.
        settings: The known names.
    """
    first, _, rest = key.partition(".")
    near = difflib.get_close_matches(key, settings, 1) or difflib.get_close_matches(first, settings, 1)
    meant = f"{near[0]}.{rest}" if near and rest and "." not in near[0] else "".join(near)
    if meant not in ("", key):  # the same name: the group is right, and has no such setting
        return f"{key}: no such setting; did you mean {meant}?"
    place = key.rpartition(".")[0]
    beside = [name for name in settings if name.rpartition(".")[0] == place]
    there = beside or [name for name in settings if "." not in name]
    return f"{key}: no such setting; there are {', '.join(there)}" if there else f"{key}: no such setting"


class _Primary(TypedDict):
    """A primary configuration; it also has settings and groups."""

    defaults: list[str | dict[str, str | None]]


def _content(primary: Path) -> _Primary:
    return cast(_Primary, read_yaml(primary))


def names(config: object, place: str = "") -> Iterator[str]:
    """Yields the settings and groups of a configuration, such as `search.n`."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            name = f"{place}.{key}" if place else str(key)
            yield name
            yield from names(value, name)
