"""Which model servers a job needs, and what its engines are told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tts.config.build import Config, takes
from tts.core.setting_error import SettingError
from tts.executors.servers.served import Demand, Served
from tts.runtime.resources import Servings, engine_key


def demands_of(serve: Mapping[str, Served], config: Config) -> tuple[Demand, ...]:
    """Returns the servers that a job needs.

    Args:
        serve: What is started, by the place of the engine that asks.
        config: The job's configuration.

    Raises:
        SettingError: Nothing asks at such a place, its engine asks no server, or two places ask the same.
    """
    demands: dict[str, Demand] = {}
    for place, served in serve.items():
        if not served.replicas:
            continue
        node = _engine(config, place)
        key = engine_key(node)
        if key in demands:
            other = demands[key].place
            raise SettingError(
                f"serve.{place}.replicas",
                f"{place}.engine is the same as {other}.engine, whose servers both ask; set this to 0",
                str(served.replicas),
            )
        demands[key] = served.demand(place, str(node.get("model")))
    return tuple(demands.values())


def servings(config: Config, urls: Mapping[str, Sequence[str]], demands: Sequence[Demand]) -> Servings:
    """Returns what engines are told of servers that were started for them.

    Samples in a bank belong to the command that serves their model, since ports and machines differ from run to run.

    Args:
        config: The job's configuration.
        urls: The URLs by the place of the engine.
        demands: What was started.
    """
    told = {}
    for demand in demands:
        node = _engine(config, demand.place)
        command = " ".join(demand.command)
        named = takes(node, "revision", demand.place) and node.get("revision") is None
        told[engine_key(node)] = {
            "base_url": list(urls[demand.place]),
            **({"revision": f"served by {command}"} if named else {}),
        }
    return told


def _engine(config: Config, place: str) -> Config:
    """Returns the node of the engine at a place.

    Raises:
        SettingError: There is none, or it asks no server.
    """
    node: object = config
    for key in (*place.split("."), "engine"):
        node = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        raise SettingError(f"serve.{place}.replicas", f"nothing at {place} asks an engine; set this to 0")
    if not takes(node, "base_url", f"{place}.engine"):
        raise SettingError(
            f"serve.{place}.replicas",
            f"{place}.engine loads its model itself; choose engine@{place}.engine=openai or chat, or set this to 0",
        )
    return node
