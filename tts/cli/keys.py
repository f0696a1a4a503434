"""The names of settings: which there are, and which one was meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml

from tts.core.errors import UserError


def top_level(primary: Path) -> list[str]:
    """Returns the settings and groups that a configuration may have: those of the command's primary configuration.

    Args:
        primary: Its file.
    """
    content = yaml.safe_load(primary.read_text("utf-8"))
    groups = (entry for entry in content.pop("defaults") if isinstance(entry, dict))
    # An option goes to where the group's name says, `engine@policy.engine: ...`, and that of a group without one nowhere.
    chosen = (name for entry in groups for name, option in entry.items() if option is not None and " " not in name)
    places = (name.rpartition("@")[2].split(".")[0] for name in chosen)
    return list(dict.fromkeys([*places, *content]))


def check_top_level(config: Mapping[str, object], settings: Collection[str]) -> None:
    """Raises UserError where a configuration sets something that there is not; `null` sets nothing."""
    for key, value in config.items():
        if value is not None and key not in settings:
            raise UserError(unknown(key, settings))


def unknown(key: str, settings: Collection[str]) -> str:
    """Returns what to say of a setting that there is not.

    Args:
        key: Its name, such as `serch.n`.
        settings: The names that there are.
    """
    near = difflib.get_close_matches(key, settings, 1)
    if near:
        return f"{key}: no such setting; did you mean {near[0]}?"
    top = [name for name in settings if "." not in name]
    return f"{key}: no such setting; there are {', '.join(top)}" if top else f"{key}: no such setting"


def names(config: object, place: str = "") -> Iterator[str]:
    """Yields the settings of a configuration, such as `search.n`, the groups among them."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            name = f"{place}.{key}" if place else str(key)
            yield name
            yield from names(value, name)
