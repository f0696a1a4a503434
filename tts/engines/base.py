"""The interface that all engines share: those that generate (`tts.engines.generating`) and score (`.scoring`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard, runtime_checkable

from tts.core.json import JsonObject

Identity = Mapping[str, object]
"""What an engine's results depend on besides the request: plain values, and a `Path` for the contents of a checkpoint."""


@runtime_checkable
class BaseEngine(Protocol):
    """A model that answers requests from any number of coroutines and does its own batching.

    Constructing an engine loads nothing, so that a configuration can be checked at no cost. An engine that waits only
    for the event loop's timers declares an attribute `follows_clock = True` and can be used in virtual time. An engine
    that only connects to a server when it is started declares `remote = True` and is started before the local ones. One
    whose texts no model wrote declares `simulated = True`: the figures of its runs are marked, since they are no results.
    """

    @property
    def name(self) -> str:
        """The model's path, hub id or served name."""

    @property
    def parameters(self) -> int | None:
        """Number of parameters active for a token, None if unknown. Known after `start`."""

    @property
    def capacity(self) -> int:
        """Samples or score requests that it can usefully have in flight at a time; more only queue inside it."""

    async def start(self) -> None:
        """Loads the weights or connects to the server. Starting twice does nothing.

        Raises:
            UserError: The model or the server is not available; says what to do.
        """

    async def close(self) -> None:
        """Frees the model."""


@runtime_checkable
class Identified(BaseEngine, Protocol):
    """An engine that reports what its results depend on, so that they can be stored and reused (`tts.bank`)."""

    def identity(self) -> Identity:
        """Returns everything that its results depend on besides the request; known after `start`.

        Settings that change a result only by rounding, such as the batch size, are left out. Include a version number
        and raise it when the same request starts to give a different result.
        """


def identified(engine: BaseEngine) -> TypeGuard[Identified]:
    """Returns whether an engine reports its identity; a wrapping engine does if the engine inside does."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    return isinstance(engine, Identified) if inside is None else identified(inside)


@runtime_checkable
class Reporting(BaseEngine, Protocol):
    """An engine that reports what runs its model, for the records of a run."""

    def report(self) -> JsonObject:
        """Returns the kind and version of what runs the model, and what else decides whether results repeat."""


@runtime_checkable
class AsksServers(BaseEngine, Protocol):
    """An engine whose servers may get other URLs while it is used."""

    def moved(self, before: str, now: str) -> None:
        """Notes that the server at a URL, up to and including `/v1`, has another one now."""


def report_of(engine: BaseEngine) -> JsonObject:
    """Returns an engine's report, that of the engine inside for a wrapping engine; empty if it has none."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    if inside is not None:
        return report_of(inside)
    return engine.report() if isinstance(engine, Reporting) else {}


def asks_server(engine: BaseEngine) -> bool:
    """Returns whether an engine only connects to a server, and learns from it what it can do."""
    return getattr(engine, "remote", False)


def kind_of(engine: BaseEngine) -> str:
    """Returns an engine's name and class, for messages; for a wrapping engine, those of the engine inside."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    return kind_of(inside) if inside is not None else f"'{getattr(engine, 'name', '')}' ({type(engine).__name__})"


def simulated(engine: BaseEngine) -> bool:
    """Returns whether no model writes an engine's texts; a wrapping engine says what the engine inside says."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    return bool(getattr(engine, "simulated", False)) if inside is None else simulated(inside)
