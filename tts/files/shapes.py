"""Checks of JSON objects from files against the types that a program declares for them (`TypedDict`)."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection
from functools import cache

from tts.core.annotations import fit
from tts.core.finite import finite
from tts.core.setting_error import SettingError


class RecordError(ValueError):
    """A value from a file is not what it must be; says where in it, and why."""


def check_record(value: object, shape: type, needed: Collection[str]) -> None:
    """Checks the values of an object, in all depth.

    Args:
        value: What was read.
        shape: A `TypedDict`; the object may have further keys.
        needed: The keys that it must have.

    Raises:
        RecordError: It is no object, lacks a key, or a value has another type or is out of bounds.
    """
    if not isinstance(value, dict):
        raise RecordError("not an object")
    missing = [key for key in needed if key not in value]
    if missing:
        raise RecordError(f"it has no {', '.join(missing)}")
    try:
        for key, part in value.items():
            if key in (kinds := _kinds(shape)):
                _check(part, kinds[key], key)
    except SettingError as error:
        raise RecordError(str(error)) from None


def _check(value: object, kind: object, place: str) -> None:
    """Raises SettingError if a value is not of a type."""
    form, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if form is typing.NotRequired:
        _check(value, parts[0], place)
    elif typing.is_typeddict(kind):
        if not isinstance(value, dict):
            raise SettingError(place, "an object is needed")
        kinds = _kinds(kind)
        for key, part in kinds.items():
            if key in value:
                _check(value[key], part, f"{place}.{key}")
            elif typing.get_origin(part) is not typing.NotRequired:
                raise SettingError(place, f"it has no {key}")
    elif form is list and isinstance(value, list):
        for number, part in enumerate(value):
            _check(part, parts[0], f"{place}[{number}]")
    elif form is dict and isinstance(value, dict):
        for key, part in value.items():
            _check(part, parts[1], f"{place}.{key}")
    elif form in (types.UnionType, typing.Union) and types.NoneType in parts and len(parts) == 2:
        if value is not None:
            _check(value, next(part for part in parts if part is not types.NoneType), place)
    else:
        fit(value, kind, place)
        if isinstance(value, int | float) and not finite(value):
            raise SettingError(place, "a finite number is needed")


@cache
def _kinds(shape: object) -> dict[str, object]:
    return typing.get_type_hints(shape, include_extras=True)
