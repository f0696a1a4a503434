"""The parts of a configuration: which engines they use, and how they are built around these."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, cast

from tts.bank import Bank
from tts.budget import Budget, Role
from tts.config.build import PRICES, Built, Config, build, takes
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.policy import Policy
from tts.core.setting_error import nearest, refused
from tts.core.settings import NonNegativeFloat, OneOf, PositiveInt, Text, inside
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine, asks_server
from tts.engines.metered import MeteredEngine, metered
from tts.runtime.clocks import CLOCKS
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox
from tts.sandbox.metered import MeteredSandbox

_LEAST_PROBLEMS = 64

_INTERFACES: Mapping[Role, object] = {
    "policy": Policy,
    "completer": Policy,
    "draft": Policy,
    "verifier": Verifier,
    "ranker": Verifier,
}
"""What the parts of each role implement; other commands have roles of their own, whose contract is checked after."""

_SETTINGS: Mapping[str, object] = {
    "clock": Annotated[str, OneOf(CLOCKS)],
    "dry_run": bool,
    "resume": bool | None,
    "seed": int,
    "objective": Mapping[str, object] | None,
}
"""The types of settings outside of groups."""


def check_groups(config: Config, groups: Sequence[str]) -> None:
    """Raises UserError if the configuration lacks one of the groups, or a setting outside of them is wrong."""
    missing = [group for group in groups if config.get(group) is None]
    if missing:
        raise UserError(
            f"the configuration has no {', '.join(missing)}; choose {' '.join(f'{group}=...' for group in missing)}, or use "
            "the command at the top of the experiment's file"
        )
    for group in groups:
        fit(config[group], Mapping[str, object], group)
    for name, annotation in _SETTINGS.items():
        if name in config:
            fit(config[name], annotation, name)


def engines_of(
    config: Config, roles: Sequence[str], resources: Resources, given: Mapping[str, BaseEngine] | None = None
) -> dict[str, MeteredEngine]:
    """Returns the engines of roles and of their parts.

    Equal engines of a role are shared, with one in-flight limit; different engines have a limit each.

    Args:
        config: The configuration.
        roles: The places of what plays a role: `policy`, or `search.draft`, whose role is `draft`.
        resources: Creates them.
        given: Engines that the caller made, by place; they replace the configured ones.

    Returns:
        The engines by place: `policy`, `verifier`, `verifier.of`, `verifier.stages.first`.

    Raises:
        UserError: A setting of an engine, or an in-flight limit, is wrong.
    """
    in_flight = _in_flight(config["in_flight"], ("problems", *map(role_of, roles)))
    bank = bank_of(config.get("bank"), resources)
    given = given or {}
    engines: dict[str, MeteredEngine] = {}
    for whole in roles:
        made: dict[str, MeteredEngine] = {}
        role = role_of(whole)
        for place, node in parts_of(node_at(config, whole) or {}, whole):
            settings = _engine_settings(node, place)
            if place in given and takes(node, "engine", place):
                engine = _kept(given[place], place, bank, resources)
                with inside(f"{place}.engine"):
                    engines[place] = metered(engine, role, in_flight.get(role))
            elif settings:
                identity = json.dumps(settings, sort_keys=True)
                if identity not in made:
                    engine = resources.engine(settings, f"{place}.engine", bank)
                    prices = [_price(settings, name, place) for name in PRICES]
                    with inside(f"{place}.engine"):
                        made[identity] = resources.metered(engine, role, in_flight.get(role), *prices)
                engines[place] = made[identity]
    unknown = [place for place in given if place not in engines]
    if unknown:
        near = nearest(unknown[0], engines)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(engines) or 'none'}"
        raise UserError(f"engines[{unknown[0]!r}]: nothing of this name asks an engine; {hint}")
    return engines


def _engine_settings(node: Config, place: str) -> Config | None:
    """Returns the configuration of a part's engine, None if it has none.

    Raises:
        SettingError: It is a value: the group of engines was meant.
    """
    settings: Config | None = node.get("engine")
    if settings is not None and not isinstance(settings, Mapping):
        raise refused(f"{place}.engine", settings, f"an engine is chosen by its group: engine@{place}.engine=NAME")
    return settings


def _price(settings: Config, name: str, place: str) -> float | None:
    """Returns a price of an engine, checked."""
    price = fit(settings.get(name), NonNegativeFloat | None, f"{place}.engine.{name}")
    return cast(float | None, price)


def _kept(engine: BaseEngine, place: str, bank: Bank | None, resources: Resources) -> BaseEngine:
    """Returns an engine that the caller made, with the bank around it.

    Raises:
        UserError: There is a bank, and the engine is not `Identified`.
    """
    kept = resources.banked(engine, bank)
    if bank is not None and kept is engine:
        raise UserError(
            f"{place}.engine ({type(engine).__name__}) has no method identity(): what its samples depend on is not "
            "known, so that they cannot be kept in a bank; add it (tts.engines.base.Identified), or set bank=None"
        )
    return kept


def parts_of(config: Config, place: str) -> Iterator[tuple[str, Config]]:
    """Yields the nodes of a configuration with their places, outermost first, without those of engines."""
    yield place, config
    for key, node in config.items():
        if key != "engine" and isinstance(node, Mapping):
            yield from parts_of(node, f"{place}.{key}")


def role_of(place: str) -> Role:
    """Returns the role of what stands at a place: `draft` at `search.draft`."""
    return place.rpartition(".")[2]


def roles_of(interface: type) -> list[Role]:
    """Returns the roles whose parts implement an interface: `Policy` or `Verifier`."""
    return [role for role, implemented in _INTERFACES.items() if implemented is interface]


def own_parts(config: Config) -> list[str]:
    """Returns the places of a strategy's own policies and verifiers: `search.draft`."""
    search = config["search"] or {}
    return [f"search.{key}" for key, node in search.items() if isinstance(node, Mapping) and "_target_" in node]


def node_at(config: Config, place: str) -> Config:
    """Returns the node of a configuration at a place: `search.draft`."""
    for key in place.split("."):
        config = config[key]
    return config


def build_role(
    config: Config, place: str, engines: Mapping[str, MeteredEngine], sandbox: Sandbox, **provided: object
) -> Built:
    """Returns the policy or verifier at a place; it also receives those of `provided` that it takes."""
    role = role_of(place)
    known = {"seed": config["seed"], "sandbox": MeteredSandbox(sandbox, role), "role": role}
    node = with_engines(node_at(config, place), place, engines)
    return build(node, place, {**known, **provided}, role=_INTERFACES.get(role, object))


def with_engines(config: Config, place: str, engines: Mapping[str, MeteredEngine]) -> dict[str, object]:
    """Returns a configuration with engines instead of the nodes that describe them."""
    parts = {
        key: with_engines(value, f"{place}.{key}", engines) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key != "engine"
    }
    return {**parts, "engine": engines[place]} if place in engines else parts


def check_engines(config: Config, engines: Mapping[str, MeteredEngine], budget: Budget) -> None:
    """Raises UserError if an engine does not follow the clock, or a limit in dollars cannot be enforced."""
    for place, engine in engines.items():
        if config["clock"] == "virtual" and not engine.follows_clock:
            raise UserError(
                f"clock=virtual: '{engine.name}' takes real time; use engine@{place}.engine=simulated or clock=real"
            )
        if budget.limits("dollars") and not engine.priced:
            raise UserError(
                f"budget.*.dollars: the prices of {place} are not known; set {place}.engine.prompt_price and "
                f"{place}.engine.completion_price, in dollars per million tokens"
            )


async def start_parts(
    resources: Resources,
    engines: Mapping[str, MeteredEngine],
    sandbox: Sandbox | None,
    budget: Budget,
    check: Callable[[], object],
) -> None:
    """Starts the sandbox and loads the models; checks what is known only then.

    Args:
        resources: They belong to it.
        engines: By the place they serve.
        sandbox: None if no code is run.
        budget: The limits.
        check: Checks that the parts fit their engines: what a server can do is known only once it has been asked.

    Raises:
        UserError: A model, a server or the sandbox is not available, or a limit in FLOPs cannot be enforced.
    """
    await resources.start(engines, sandbox)
    _check_sizes(engines, budget)
    if any(asks_server(engine) for engine in engines.values()):
        check()


def _check_sizes(engines: Mapping[str, MeteredEngine], budget: Budget) -> None:
    for place, engine in engines.items():
        if engine.parameters is None and budget.limits("flops"):
            raise UserError(f"budget.*.flops: the size of '{engine.name}' is not known; set {place}.engine.parameters")


def problems_in_flight(config: Config, engines: Mapping[str, MeteredEngine]) -> int:
    """Returns the number of problems in progress at once: enough to keep the engines busy with one request each."""
    given: int | None = config["in_flight"]["problems"]
    return enough_problems(engine.capacity for engine in set(engines.values())) if given is None else given


def enough_problems(capacities: Iterable[int]) -> int:
    """Returns the number of problems that keep engines of such capacities busy with one request each."""
    return max(_LEAST_PROBLEMS, sum(min(capacity, 1024) for capacity in capacities))


def bank_of(config: object, resources: Resources) -> Bank | None:
    """Returns the bank for samples, None for none."""
    if config is None:
        return None
    if not isinstance(config, dict) or config.keys() != {"path"}:
        raise UserError(f"bank={config}: set bank.path to a file, or to null for no bank")
    path = fit(config["path"], Text | None, "bank.path")
    return None if path is None else resources.bank(str(path))


def _in_flight(config: object, kinds: Sequence[str]) -> dict[str, int | None]:
    """Returns the in-flight limits, checked."""
    if not isinstance(config, dict):
        settings = [f"in_flight.{kind}" for kind in kinds]
        raise UserError(f"in_flight={config}: set {', '.join(settings[:-1])} or {settings[-1]}")
    for key, limit in config.items():
        if key not in kinds:
            raise UserError(f"in_flight.{key}: no such setting; it takes {', '.join(kinds)}")
        fit(limit, PositiveInt | None, f"in_flight.{key}")
    return config
