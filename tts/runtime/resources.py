"""What every command runs on: engines, sandbox and clock, composed and checked, then started and closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra.utils import get_object

from tts.bank import Bank, flush_banks, open_bank
from tts.budget import Budget, Role
from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.build import build, engine_of
from tts.config.moved import present_name
from tts.core.errors import UserError
from tts.core.settings import inside
from tts.core.signature import accepted
from tts.engines.metered import MeteredEngine
from tts.sandbox.base import Sandbox
from tts.sandbox.metered import MeteredSandbox

CLOCKS: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"real": None, "virtual": VirtualLoop}
"""Event loops by the setting `clock`."""

_LEAST_PROBLEMS = 64


def check_groups(config: Mapping[str, Any], groups: Sequence[str]) -> None:
    """Raises UserError where the configuration lacks one of the groups, or names no clock."""
    missing = [group for group in groups if config.get(group) is None]
    if missing:
        raise UserError(
            f"the configuration has no {', '.join(missing)}; choose {' '.join(f'{group}=...' for group in missing)}, or use "
            "the command that stands at the top of the experiment's file"
        )
    if config["clock"] not in CLOCKS:
        raise UserError(f"clock={config['clock']}: choose one of {', '.join(CLOCKS)}")


def engines_of(config: Mapping[str, Any], roles: Sequence[Role]) -> dict[str, MeteredEngine]:
    """Returns the engines of roles and of the parts that they are made of.

    Equal ones of a role are one, with one limit of what is in flight; different ones have that limit each.

    Returns:
        The engines by whose they are: `policy`, `verifier`, `verifier.of`, `verifier.stages.first`.

    Raises:
        UserError: A setting of an engine, or of what is in flight, is wrong.
    """
    in_flight = _in_flight(config["in_flight"], ("problems", *roles))
    bank = _bank(config.get("bank"))
    engines: dict[str, MeteredEngine] = {}
    for role in roles:
        made: dict[str, MeteredEngine] = {}
        for place, node in parts_of(config[role], role):
            if node.get("engine"):
                identity = json.dumps(node["engine"], sort_keys=True)
                if identity not in made:
                    made[identity] = engine_of(role, node["engine"], in_flight[role], place, bank)
                engines[place] = made[identity]
    return engines


def parts_of(config: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the nodes of a configuration, the outermost first, with their places; those of engines are not among them."""
    yield place, config
    for key, node in config.items():
        if key != "engine" and isinstance(node, Mapping):
            yield from parts_of(node, f"{place}.{key}")


def build_role(
    config: Mapping[str, Any], role: Role, engines: Mapping[str, MeteredEngine], sandbox: Sandbox, **provided: Any
) -> Any:
    """Returns the policy or the verifier; `provided` is what it receives besides, where it takes that."""
    own = {"seed": config["seed"], "sandbox": MeteredSandbox(sandbox, role), **provided}
    return build(_with_engines(config[role], role, engines), role, own)


def takes_sandbox(config: Mapping[str, Any], group: str) -> bool:
    """Returns whether what a group configures, or a part of it, is given the sandbox, which then has to be started."""
    targets = (
        get_object(present_name(part["_target_"])) for _, part in parts_of(config[group], group) if "_target_" in part
    )
    return any("sandbox" in accepted(target) for target in targets)


def _with_engines(config: Mapping[str, Any], place: str, engines: Mapping[str, MeteredEngine]) -> dict[str, Any]:
    """Returns a configuration with the engines in the places of their nodes."""
    parts = {
        key: _with_engines(value, f"{place}.{key}", engines) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key != "engine"
    }
    return {**parts, "engine": engines[place]} if place in engines else parts


def check_engines(config: Mapping[str, Any], engines: Mapping[str, MeteredEngine], budget: Budget) -> None:
    """Raises UserError where an engine does not follow the clock, or a limit in dollars cannot be held."""
    for place, gate in engines.items():
        if config["clock"] == "virtual" and not gate.follows_clock:
            raise UserError(
                f"clock=virtual: '{gate.name}' takes real time; use engine@{place}.engine=simulated or clock=real"
            )
        if budget.limits("dollars") and not gate.priced:
            raise UserError(
                f"budget.*.dollars: what {place} costs is not known; set {place}.engine.prompt_price and "
                f"{place}.engine.completion_price, in dollars for a million tokens"
            )


@contextlib.asynccontextmanager
async def running(engines: Mapping[str, MeteredEngine], sandbox: Sandbox | None, budget: Budget) -> AsyncIterator[None]:
    """Starts the sandbox, where one is needed, and loads the models; engines stay loaded for further jobs.

    Raises:
        UserError: A model, a server or the sandbox is not there, a limit in FLOPs cannot be held, or samples cannot be kept.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(flush_banks)
        if sandbox is not None:
            stack.push_async_callback(sandbox.close)
            await sandbox.start()
        for place, engine in engines.items():
            with inside(f"{place}.engine"):
                await engine.start()
            if engine.parameters is None and budget.limits("flops"):
                raise UserError(
                    f"budget.*.flops: the size of '{engine.name}' is not known; set {place}.engine.parameters"
                )
        # What is loaded by now stays: no collection of garbage needs to look at it again.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        yield


def problems_in_flight(config: Mapping[str, Any], engines: Mapping[str, MeteredEngine]) -> int:
    """Returns how many problems are worked on at once: as many as can keep the engines busy with a request each."""
    given: int | None = config["in_flight"]["problems"]
    busy = sum(min(engine.capacity, 1024) for engine in set(engines.values()))
    return max(_LEAST_PROBLEMS, busy) if given is None else given


def _bank(config: Any) -> Bank | None:
    """Returns the bank in which samples are kept, None for none."""
    if config is None:
        return None
    if not isinstance(config, dict) or config.keys() != {"path"}:
        raise UserError(f"bank={config}: set bank.path to a file, or to null for no bank")
    return None if config["path"] is None else open_bank(str(config["path"]))


def _in_flight(config: Any, kinds: Sequence[str]) -> dict[str, int | None]:
    """Returns the limits of what is in flight, checked."""
    if not isinstance(config, dict):
        settings = [f"in_flight.{kind}" for kind in kinds]
        raise UserError(f"in_flight={config}: set {', '.join(settings[:-1])} or {settings[-1]}")
    for key, limit in config.items():
        if key not in kinds:
            raise UserError(f"in_flight.{key}: no such setting; it takes {', '.join(kinds)}")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise UserError(
                f"in_flight.{key}={limit}: a whole number of 1 or more, or null for what the engines can take"
            )
    return config
