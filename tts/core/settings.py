"""Settings: the arguments of a constructor, declared once by their annotations, which say type, bounds and choices.

    @settings
    class BestOfN:
        def __init__(self, n: Annotated[int, Ge(1)], selection: Annotated[str, OneOf(SELECTIONS)] = "argmax") -> None:

Bounds are those of the package `annotated_types`; `Literal` and `OneOf` name choices; `Must` holds any other demand on a
single value. Demands on several settings together stand in the constructor, which raises the error that `refused` makes for
the one to change. Who builds an object from a configuration puts its place in front (`inside`): no class knows its own.
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
    "Must",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OneOf",
    "PositiveFloat",
    "PositiveInt",
    "PositiveProbability",
    "Probability",
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
"""Also a threshold of scores: with 0 everything would reach it."""

Text = Annotated[str, MinLen(1)]
"""A text that is not empty."""

C = TypeVar("C", bound=type)
P = ParamSpec("P")


def settings(cls: C) -> C:
    """Makes a class check the arguments of its own constructor against their annotations, whoever calls it.

    A list becomes a tuple where a tuple is annotated, since YAML has lists alone; no other argument is changed. Put it above
    `@dataclass`, where that makes the constructor.

    Raises:
        SettingError: By the constructor, where a value is of the wrong type, out of bounds or none of the choices.
    """
    type.__setattr__(cls, "__init__", _checked(vars(cls)["__init__"]))
    return cls


def _checked(make: Callable[P, None]) -> Callable[P, None]:
    signature = inspect.signature(make)
    hints = functools.cache(lambda: hints_of(make))  # late: an annotation may name what is defined further down

    @functools.wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:
            return make(*args, **kwargs)  # which says it better
        try:
            for name in hints().keys() & given.arguments.keys():
                given.arguments[name] = fit(given.arguments[name], hints()[name], name)
            make(*given.args, **given.kwargs)
        except SettingError as error:
            raise error.of(type(args[0]).__name__) from None

    return checked


@contextmanager
def inside(place: str) -> Iterator[None]:
    """Puts `place` in front of the path of a setting that is refused meanwhile."""
    try:
        yield
    except SettingError as error:
        raise error.inside(place) from None
