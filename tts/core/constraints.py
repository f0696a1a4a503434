"""Constraints on a single value in `Annotated[...]`: bounds of `annotated_types`, choices, and any others."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from dataclasses import dataclass
from functools import singledispatch

import annotated_types as bounds

from tts.core.finite import finite
from tts.core.setting_error import choice, refused


@dataclass(frozen=True, eq=False)
class OneOf:
    """Allows the names in a registry: `Annotated[str, OneOf(REGISTRY)]`.

    Attributes:
        names: The names; a mapping allows its keys.
    """

    names: Collection[str]


@dataclass(frozen=True, eq=False)
class Read:
    """Allows the texts that a function reads: names in a registry that may have parameters.

    Attributes:
        read: Reads a text; given the setting's name, for the message of the SettingError that it raises if it cannot.
        names: The names, for listings of choices.
    """

    read: Callable[[str, str], object]
    names: Collection[str]


@dataclass(frozen=True, eq=False)
class Must:
    """Any other constraint in `Annotated[...]`.

    Attributes:
        hold: Whether a value is valid.
        problem: The message if it is not.
    """

    hold: Callable[..., object]
    problem: str


@dataclass(frozen=True)
class Bound:
    """A bound, reported together with others on the same value: `more than 0 and at most 1 is needed`.

    Attributes:
        holds: Whether a value is valid.
        words: The requirement in words.
    """

    holds: Callable[..., bool]
    words: str


def check_constraints(value: object, metadata: Iterable[object], setting: str) -> None:
    """Raises SettingError if a value violates the constraints in its annotation."""
    constraints = list(_flat(metadata))
    named = [bound for bound in map(_bound, constraints) if bound is not None]
    if not all(bound.holds(value) for bound in named):
        raise refused(setting, value, f"{' and '.join(bound.words for bound in named)} is needed")
    for constraint in constraints:
        _check(constraint, value, setting)


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    """Yields single constraints; an interval gives two."""
    for each in metadata:
        yield from each if isinstance(each, bounds.GroupedMetadata) else (each,)


@singledispatch
def _bound(constraint: object) -> Bound | None:
    """Returns the bound that a constraint expresses; None for any other metadata in `Annotated`."""
    return None


@_bound.register
def _(constraint: bounds.Ge) -> Bound:
    return Bound(lambda value: value >= constraint.ge, f"at least {constraint.ge}")


@_bound.register
def _(constraint: bounds.Gt) -> Bound:
    return Bound(lambda value: value > constraint.gt, f"more than {constraint.gt}")


@_bound.register
def _(constraint: bounds.Le) -> Bound:
    return Bound(lambda value: value <= constraint.le, f"at most {constraint.le}")


@_bound.register
def _(constraint: bounds.Lt) -> Bound:
    return Bound(lambda value: value < constraint.lt, f"less than {constraint.lt}")


@_bound.register
def _(constraint: bounds.Predicate) -> Bound | None:
    return Bound(finite, "finite") if constraint.func is math.isfinite else None


@singledispatch
def _check(constraint: object, value: object, setting: str) -> None:
    """Raises SettingError if a constraint with its own message does not hold."""


@_check.register
def _(constraint: bounds.MinLen, value: Sized, setting: str) -> None:
    if len(value) < constraint.min_length:
        least = constraint.min_length
        raise refused(setting, value, "it must not be empty" if least == 1 else f"at least {least} entries are needed")


@_check.register
def _(constraint: bounds.MaxLen, value: Sized, setting: str) -> None:
    if len(value) > constraint.max_length:
        raise refused(setting, value, f"at most {constraint.max_length} entries are allowed")


@_check.register
def _(constraint: OneOf, value: object, setting: str) -> None:
    choice(value, constraint.names, setting)


@_check.register
def _(constraint: Read, value: str, setting: str) -> None:
    constraint.read(value, setting)


@_check.register
def _(constraint: Must, value: object, setting: str) -> None:
    if not constraint.hold(value):
        raise refused(setting, value, constraint.problem)
