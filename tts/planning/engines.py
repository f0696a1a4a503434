"""The engines of a search that is planned: which replicas they stand for, and how fast these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tts.budget import Role
from tts.config.build import Config
from tts.core.errors import UserError
from tts.engines.base import BaseEngine
from tts.engines.simulated import SimulatedEngine
from tts.engines.simulated.gpu import Rates
from tts.runtime.composition import Composition

Places = Mapping[Role, Sequence[str]]
"""Where in the configuration the engine of each role stands."""


def simulated(engine: BaseEngine, place: str) -> SimulatedEngine:
    """Returns a simulated engine.

    Raises:
        UserError: It is another one.
    """
    if not isinstance(engine, SimulatedEngine):
        role = place.partition(".")[0]
        raise UserError(
            f"{place}.engine ('{engine.name}'): a plan needs no model, only the speed of a replica; leave {role}= and "
            f"engine@{place}.engine= at simulated, and set {place}.engine.tick_base, .tick_per_sequence, .prefill and "
            ".max_sequences"
        )
    return engine


def engines_of(made: Composition) -> tuple[Places, dict[Role, Rates]]:
    """Returns the places and the speeds of the engines that a search uses, by role.

    Raises:
        UserError: They are not simulated, or not one for each role.
    """
    places: dict[Role, list[str]] = {}
    for place, engine in made.used_engines.items():
        role = place.partition(".")[0]
        if role == "search":
            raise UserError(
                f"{place}.engine: a model of the search's own; a plan divides GPUs between the policy's replicas and the "
                "verifier's only"
            )
        simulated(engine.inside, place)
        places.setdefault(role, []).append(place)
    if not places:
        raise UserError("nothing of this search asks an engine: there is nothing to plan")
    for role, (first, *others) in places.items():
        for other in others:
            if made.used_engines[other] is not made.used_engines[first]:
                raise UserError(
                    f"{other}.engine: another engine than {first}.engine; a plan takes all of the {role}'s replicas to be "
                    "of one kind"
                )
    return places, {
        role: simulated(made.used_engines[first].inside, first).rates for role, (first, *_) in places.items()
    }


def at(config: Config, place: str) -> Config:
    """Returns the mapping at a place of a configuration."""
    for key in place.split("."):
        config = config[key]
    return config


def changed(config: Config, place: str, change: Mapping[str, object]) -> Config:
    """Returns a configuration with other settings in the mapping at a place."""
    key, _, rest = place.partition(".")
    return {**config, key: changed(config[key], rest, change) if rest else {**config[key], **change}}


def with_replicas(config: Config, places: Places, replicas: Mapping[Role, int]) -> Config:
    """Returns a configuration with so many replicas of each role's engine."""
    for role, all_ in places.items():
        for place in all_:
            config = changed(config, f"{place}.engine", {"replicas": replicas[role]})
    return config
