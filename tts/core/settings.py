"""Settings: the arguments of a constructor; their annotations declare type, bounds and choices.

    @settings
    class BestOfN:
        def __init__(self, n: Annotated[int, Ge(1)], selection: Annotated[str, OneOf(SELECTIONS)] = "argmax") -> None:

Bounds are those of the package `annotated_types`; `Literal` and `OneOf` name choices; `Must` expresses any other
constraint on a single value. Constraints on several settings belong in the constructor, which raises the error that
`refused` makes for the one to change. Code that builds an object from a configuration prepends its path (`inside`),
which classes do not know.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, ParamSpec, TypeVar

from annotated_types import Ge, Gt, Interval, IsFinite, MinLen

from tts.core.annotations import fit
from tts.core.constraints import Must, OneOf
from tts.core.setting_error import SettingError, refused
from tts.core.signature import hints_of

__all__ = [
    "Mebibytes",
    "Must",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OneOf",
    "PositiveFloat",
    "PositiveInt",
    "PositiveProbability",
    "Probability",
    "Processes",
    "Seconds",
    "SettingError",
    "Text",
    "inside",
    "refused",
    "settings",
]

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = IsFinite[Annotated[float, Gt(0)]]
NonNegativeFloat = IsFinite[Annotated[float, Ge(0)]]
Probability = Annotated[float, Interval(ge=0, le=1)]
PositiveProbability = Annotated[float, Interval(gt=0, le=1)]
"""Also for thresholds of scores: with 0 every score would reach it."""

Seconds = Annotated[float, Interval(ge=1e-3, le=1e7)]
"""A limit of time. Shorter ones allow nothing, and longer ones, beyond months, cannot be kept by all clocks."""

Mebibytes = Annotated[int, Interval(ge=1, le=2**30)]
"""A limit of memory; the system takes no more than 2**63 bytes."""

Processes = Annotated[int, Interval(ge=1, le=4096)]
"""A number of processes or threads; more are a slip of the keyboard, and would fill the memory before they start."""

Text = Annotated[str, MinLen(1)]
"""A non-empty text."""

C = TypeVar("C", bound=type)
P = ParamSpec("P")


def settings(cls: C) -> C:
    """Makes a class check the arguments of its constructor against their annotations.

    A list becomes a tuple if a tuple is annotated, since YAML has only lists; no other argument is changed. Put it
    above `@dataclass` if that generates the constructor.

    Raises:
        SettingError: By the constructor, if a value has the wrong type, is out of bounds or not one of the choices.
    """
    type.__setattr__(cls, "__init__", _checked(vars(cls)["__init__"]))
    return cls


def _checked(make: Callable[P, None]) -> Callable[P, None]:
    signature = inspect.signature(make)
    hints = functools.cache(lambda: hints_of(make))  # lazily: an annotation may name a later definition

    @functools.wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:
            return make(*args, **kwargs)  # its own error is clearer
        try:
            for name in hints().keys() & given.arguments.keys():
                given.arguments[name] = fit(given.arguments[name], hints()[name], name)
            make(*given.args, **given.kwargs)
        except SettingError as error:
            raise error.of(type(args[0]).__name__) from None

    return checked


@contextmanager
def inside(place: str) -> Iterator[None]:
    """Prepends `place` to the path of a setting that is refused inside."""
    try:
        yield
    except SettingError as error:
        raise error.inside(place) from None
