"""Builds the objects that a configuration names: finds every mistake in it before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tts.config.resolvers  # noqa: F401  configurations use them
from tts.config.earlier import first_form
from tts.config.targets import located, of_parts
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.setting_error import SettingError, nearest
from tts.core.settings import inside
from tts.core.signature import accepted
from tts.engines.base import BaseEngine

Config = Mapping[str, Any]
"""A node of a configuration: YAML values, or objects in their place."""

Built = Any
"""Any object that a configuration names; the caller checks that it has the required members."""

MakeEngine = Callable[[Config, str], BaseEngine]
"""Creates an engine from its node and the node's path."""

NOT_SHAPING = ("dry_run", "in_flight", "clock", "bank", "resume", "objective", "executor")
"""Settings that do not affect results: concurrency, sources of stored samples, a sweeper's objective. A command's own
configuration names those that its results depend on (`shaping`)."""
PRICES = ("prompt_price", "completion_price")
"""Keys of an engine's node besides the arguments of its class: dollars per million tokens."""


def build(
    config: Config,
    where: str,
    provided: Config | None = None,
    engines: MakeEngine | None = None,
    *,
    role: object = object,
) -> Built:
    """Creates the object that a configuration node describes.

    Nested nodes with a `_target_` are created first, including those in a mapping without one.

    Args:
        config: `_target_` and the arguments, each a YAML value or an existing object.
        where: The node's path in the configuration, for messages.
        provided: Objects for parameters of these names that the configuration does not set, of the node's class and
            those of nested nodes.
        engines: Creates the engines of nested nodes called `engine` from their configuration and path; None creates
            them like all other objects.
        role: What the object is for: a class or a protocol of this project. Its class is checked before it is called, and
            those of nested nodes by the parameters that take them.

    Raises:
        SettingError: A setting is unknown, missing, of the wrong type, or refused by its class; names its full path.
    """
    target = _target(config, where, role)
    takes = accepted(target)
    # A group keeps an engine that was set for another class, which this one does not use.
    own = {key: value for key, value in config.items() if key != "_target_" and (key in takes or key != "engine")}
    _check_keys(own, takes, where)
    parts = _Parts(provided or {}, engines)
    given = {key: parts.made(key, value, f"{where}.{key}", takes[key].annotation) for key, value in own.items()}
    injected = {key: value for key, value in parts.provided.items() if key in takes and key not in given}
    missing = [key for key, parameter in takes.items() if parameter.required and key not in {*given, *injected}]
    if missing:
        raise SettingError(where, "set " + ", ".join(f"{where}.{key}=..." for key in missing))
    fitting = {key: fit(value, takes[key].annotation, f"{where}.{key}") for key, value in given.items()}
    try:
        with inside(where):
            return target(**fitting, **injected)
    except SettingError:
        raise
    except UserError as error:
        raise SettingError(where, str(error)) from None


def takes(config: Config, key: str, where: str) -> bool:
    """Whether the class that a node describes has a parameter of this name.

    Raises:
        SettingError: There is no such class.
    """
    return key in accepted(_target(config, where, object))


@dataclass(frozen=True)
class _Parts:
    """Creates the objects nested in a node.

    Attributes:
        provided: As for `build`.
        engines: As for `build`.
    """

    provided: Config
    engines: MakeEngine | None

    def made(self, key: str, value: object, place: str, role: object) -> object:
        """Returns the value with every nested node created."""
        if not isinstance(value, Mapping):
            return value
        if "_target_" not in value:
            part_role = of_parts(role)
            return {name: self.made(name, part, f"{place}.{name}", part_role) for name, part in value.items()}
        if key == "engine" and self.engines is not None:
            return self.engines(value, place)
        return build(value, place, self.provided, self.engines, role=role)


def config_hash(config: Config) -> str:
    """Returns the hash of a run's configuration: 16 hexadecimal digits over all settings that can affect results.

    Args:
        config: The configuration with unresolved interpolations, so that the project's location does not matter.
    """
    apart = set(NOT_SHAPING) - set(config.get("shaping", ()))
    shaping = {key: value for key, value in config.items() if key not in apart}
    return hashlib.sha256(json.dumps(first_form(shaping), sort_keys=True).encode()).hexdigest()[:16]


def _target(config: Config, where: str, role: object) -> type:
    fit(config, Mapping[str, object], where)  # a group of which a value was made
    path = config.get("_target_")
    if path is None:
        raise SettingError(where, "no _target_ says which class this configures")
    return located(str(path), f"{where}._target_", role)


def _check_keys(given: Iterable[str], known: Iterable[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = nearest(key, known)
            hint = f"did you mean '{near}'?" if near else f"it takes {', '.join(known) or 'none'}"
            raise SettingError(f"{where}.{key}", f"no such setting; {hint}")
