"""The names of settings: which there are, and which one was meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

import yaml

from tts.core.errors import UserError


def top_level(primary: Path) -> list[str]:
    """Returns the settings and groups that a configuration may have: those of the command's primary configuration.

    Args:
        primary: Its file.
    """
    content = _content(primary)
    # An option goes to where the group's name says, `engine@policy.engine: ...`, and that of a group without one nowhere.
    places = (name.rpartition("@")[2].split(".")[0] for name in groups(primary))
    return list(dict.fromkeys([*places, *(name for name in content if name not in ("defaults", "hydra"))]))


def groups(primary: Path) -> list[str]:
    """Returns the groups of which a configuration has an option, `task` and `engine@policy.engine` among them.

    Args:
        primary: The file of the command's primary configuration.
    """
    entries = (entry for entry in _content(primary)["defaults"] if isinstance(entry, dict))
    return [name for entry in entries for name, option in entry.items() if option is not None and " " not in name]


def check_top_level(config: Mapping[str, object], settings: Collection[str]) -> None:
    """Raises UserError where a configuration sets something that there is not; `null` sets nothing."""
    for key, value in config.items():
        if value is not None and key not in settings:
            *_, last = names({key: value})
            raise UserError(unknown(last, settings))


def unknown(key: str, settings: Collection[str]) -> str:
    """Returns what to say of a setting that there is not.

    Args:
        key: Its name, such as `serch.n`.
        settings: The names that there are.
    """
    first, _, rest = key.partition(".")
    near = difflib.get_close_matches(key, settings, 1) or difflib.get_close_matches(first, settings, 1)
    if near:
        meant = f"{near[0]}.{rest}" if rest and "." not in near[0] else near[0]
        return f"{key}: no such setting; did you mean {meant}?"
    top = [name for name in settings if "." not in name]
    return f"{key}: no such setting; there are {', '.join(top)}" if top else f"{key}: no such setting"


class _Primary(TypedDict):
    """A primary configuration; it has settings and groups beside its options."""

    defaults: list[str | dict[str, str | None]]


def _content(primary: Path) -> _Primary:
    content: _Primary = yaml.safe_load(primary.read_text("utf-8"))
    return content


def names(config: object, place: str = "") -> Iterator[str]:
    """Yields the settings of a configuration, such as `search.n`, the groups among them."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            name = f"{place}.{key}" if place else str(key)
            yield name
            yield from names(value, name)
