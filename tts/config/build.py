"""From a configuration to the objects it names: every mistake in it is found here, before anything is loaded."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object

import tts.config.resolvers  # noqa: F401  configurations are written with them
from tts.bank import Bank, BankedEngine, BankedScorer, banked
from tts.budget import Role
from tts.config.moved import first_names, present_name
from tts.core.errors import UserError
from tts.engines.base import BaseEngine, identified
from tts.engines.generating import generating
from tts.engines.metered import MeteredEngine, metered
from tts.engines.replay import Recorder

Config = Mapping[str, Any]

_engines: dict[str, BaseEngine] = {}
_banked: dict[tuple[str, Path], BankedEngine | BankedScorer] = {}
NOT_SHAPING = ("dry_run", "in_flight", "clock", "bank", "resume", "objective")
"""Settings that do not shape a result: what is worked on at once, where samples are taken from, what a sweeper is told."""
_PRICES = ("prompt_price", "completion_price")
_PLAIN = (str, int, float, bool, list, dict, type(None))


def engine_of(
    role: Role, config: Config, in_flight: int | None, place: str | None = None, bank: Bank | None = None
) -> MeteredEngine:
    """Returns the engine of a role; equal configurations share one model, also across the jobs of a sweep.

    Args:
        role: The role.
        config: Its `engine` node: `_target_`, its arguments, and optionally `record`, a file to record requests to, and the
            prices.
        in_flight: The role's limit of samples in flight, None for the engine's own.
        place: Whose engine it is, such as `verifier.of` for a part of the role; None for the role's own.
        bank: Where its samples are kept, None for nowhere.
    """
    place = place or role
    own = {key: value for key, value in config.items() if key not in _PRICES}
    engine = shared_engine(own, f"{place}.engine", bank)
    return metered(engine, role, in_flight, config.get("prompt_price"), config.get("completion_price"), place)


def shared_engine(config: Config, where: str, bank: Bank | None = None) -> BaseEngine:
    """Returns the engine that `config` describes; equal configurations share one, also across the jobs of a sweep.

    Args:
        config: An `engine` node: `_target_`, its arguments, and optionally `record`, a file to record requests to.
        where: The node's place in the configuration, for messages.
        bank: Where its results are kept, None for nowhere; those of an engine that is not `Identified` never are.
    """
    arguments = {key: value for key, value in config.items() if key not in ("record", *_PRICES)}
    identity = json.dumps(arguments, sort_keys=True)
    if identity not in _engines:
        _engines[identity] = _build_inside(arguments, where)
    engine = _engines[identity]
    if bank is not None and identified(engine):
        # It must be the one that saw which model was loaded: the checkpoint may have been changed since.
        engine = _banked.setdefault((identity, bank.path), banked(engine, bank))
    return Recorder(generating(engine), config["record"]) if config.get("record") else engine


def build(config: Config, where: str, **provided: Any) -> Any:
    """Creates the object that a configuration node describes.

    Nodes inside it that have a `_target_` are created first, also those in a mapping without one; a node called `engine` is
    shared between equal ones.

    Args:
        config: `_target_` and the arguments.
        where: The node's place in the configuration, for messages.
        provided: Objects that the node's class receives if it has a parameter of that name.

    Raises:
        UserError: A key is unknown, missing or of the wrong type, or the class rejects a value.
    """
    target = _target(config, where)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    accepted = {key: p for key, p in inspect.signature(target).parameters.items() if p.kind not in variadic}
    given: dict[str, Any] = {}
    for key, value in config.items():
        if key == "_target_" or (key == "engine" and key not in accepted):
            continue
        given[key] = _value(key, value, where, provided)
    _check_keys(given, accepted, where)
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for key, value in given.items():
        _check_type(value, hints.get(key, Any), f"{where}.{key}")
    injected = {key: value for key, value in provided.items() if key in accepted and key not in given}
    missing = [
        key
        for key, parameter in accepted.items()
        if parameter.default is inspect.Parameter.empty and key not in given and key not in injected
    ]
    if missing:
        raise UserError(f"{where}: set " + ", ".join(f"{where}.{key}=..." for key in missing))
    return target(**given, **injected)


def config_hash(config: Config) -> str:
    """Returns what identifies a run's configuration: 16 hexadecimal digits over all of it that can shape a result.

    Args:
        config: The configuration with its interpolations unresolved, so that the project's place does not matter.
    """
    shaping = {key: value for key, value in config.items() if key not in NOT_SHAPING}
    return hashlib.sha256(json.dumps(first_names(shaping), sort_keys=True).encode()).hexdigest()[:16]


def _value(key: str, value: Any, where: str, provided: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping) and "_target_" in value:
        place = f"{where}.{key}"
        return shared_engine(value, place) if key == "engine" else _build_inside(value, place, **provided)
    if isinstance(value, Mapping):
        return {name: _value(name, part, f"{where}.{key}", provided) for name, part in value.items()}
    return value


def _build_inside(config: Config, where: str, **provided: Any) -> Any:
    """Builds an object that does not know its place in the configuration; its messages then begin with it."""
    try:
        return build(config, where, **provided)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(where) else f"{where}: {message}") from None


def _target(config: Config, where: str) -> Callable[..., Any]:
    path = config.get("_target_")
    if path is None:
        raise UserError(f"{where}: no _target_ says which class this configures")
    try:
        target: Callable[..., Any] = get_object(present_name(path))
    except Exception as error:
        raise UserError(f"{where}._target_={path}: cannot be imported ({error})") from None
    return target


def _check_keys(given: Mapping[str, Any], accepted: Mapping[str, inspect.Parameter], where: str) -> None:
    for key in given:
        if key not in accepted:
            near = difflib.get_close_matches(key, accepted, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(accepted)}"
            raise UserError(f"{where}.{key}: no such setting; {hint}")


def _check_type(value: Any, annotation: Any, where: str) -> None:
    if not _fits(value, annotation):
        wanted = getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")
        shown = f"={value}" if isinstance(value, _PLAIN) else ""
        raise UserError(f"{where}{shown}: expected {wanted}, got {type(value).__name__}")


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a configuration value can stand where `annotation` is expected.

    Only plain types and abstract base classes are looked at: who implements a protocol need not say so.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if annotation is type(None):
        return value is None
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (str, bool) or inspect.isabstract(annotation):
        return isinstance(value, annotation)
    return True
