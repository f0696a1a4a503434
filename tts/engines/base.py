"""What all engines have in common, whether they generate (`tts.engines.generating`) or score (`tts.engines.scoring`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard, runtime_checkable

Identity = Mapping[str, object]
"""What an engine's results depend on besides the request: plain values, and a `Path` for the contents of a checkpoint."""


@runtime_checkable
class BaseEngine(Protocol):
    """A model that answers requests. Takes them from any number of coroutines and does its own batching.

    Constructing an engine loads nothing, so that a configuration can be checked at no cost. One that waits for nothing but
    the event loop's timers says so with an attribute `follows_clock = True`, and can then be used in virtual time. One that
    loads nothing when it is started, but reaches a server, says so with `remote = True`, and is started before the others.
    """

    @property
    def name(self) -> str:
        """What identifies the model: a path, a hub id or a served name."""

    @property
    def parameters(self) -> int | None:
        """Number of the parameters that a token passes, None where unknown. Known after `start`."""

    @property
    def capacity(self) -> int:
        """Samples or readings that it can usefully have in flight at a time; further ones only queue up inside it."""

    async def start(self) -> None:
        """Loads the weights or reaches the server. Starting twice does nothing.

        Raises:
            UserError: The model or the server is not there; says what to do.
        """

    async def close(self) -> None:
        """Frees the model."""


@runtime_checkable
class Identified(BaseEngine, Protocol):
    """An engine that can tell what its results depend on, so that they can be kept and used again (`tts.bank`)."""

    def identity(self) -> Identity:
        """Returns all that its results depend on besides the request; known after `start`.

        What moves a result by rounding alone, such as the batch size, is left out. Raise a version in it when the same
        request comes to give another result.
        """


def identified(engine: BaseEngine) -> TypeGuard[Identified]:
    """Returns whether an engine tells its identity; one around another does where that does."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    return isinstance(engine, Identified) if inside is None else identified(inside)


def kind_of(engine: BaseEngine) -> str:
    """Returns an engine's name and class, for messages; of one around another, those of that."""
    inside: BaseEngine | None = getattr(engine, "inside", None)
    return kind_of(inside) if inside is not None else f"'{getattr(engine, 'name', '')}' ({type(engine).__name__})"
