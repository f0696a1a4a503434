"""Checks of values against annotations, with messages for users."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Annotated, Any, Literal

from tts.core.constraints import check_constraints
from tts.core.setting_error import SettingError, choice, shown

_PLAIN = (str, int, float, list, tuple, dict, types.NoneType)


def fit(value: object, annotation: object, setting: str) -> object:
    """Returns the value, with lists converted to tuples where the annotation says so.

    Checks plain types, the contents of lists and mappings, choices and bounds, and abstract base classes. An object may
    implement a protocol or replace a class without declaring it; a plain value never does.

    Args:
        value: The given value.
        annotation: The annotation to check it against.
        setting: The setting's path, for the message.

    Raises:
        SettingError: It does not fit.
    """
    form = typing.get_origin(annotation) or annotation
    try:
        reader = _READERS.get(form, _object)
    except TypeError:  # not hashable, so not one of ours
        return value
    return reader(value, annotation, setting)


def _literal(value: object, annotation: object, setting: str) -> object:
    choice(value, typing.get_args(annotation), setting)
    return value


def _union(value: object, annotation: object, setting: str) -> object:
    members = typing.get_args(annotation)
    errors = []
    for member in members:
        try:
            return fit(value, member, setting)
        except SettingError as error:
            errors.append(error)
    # An error inside a value of the right type says more than a list of all allowed types.
    close = [error for error in errors if not isinstance(error, _TypeError) or error.setting != setting]
    if not close:
        raise _mistyped(setting, value, annotation)
    lone = len(close) == 1 and types.NoneType in members and close[0].setting == setting
    raise SettingError(close[0].setting, close[0].problem + (", or null" if lone else ""), close[0].value)


def _annotated(value: object, annotation: object, setting: str) -> object:
    base, *metadata = typing.get_args(annotation)
    value = fit(value, base, setting)
    check_constraints(value, metadata, setting)
    return value


def _sequence(value: object, annotation: object, setting: str) -> object:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _mistyped(setting, value, annotation)
    (part,) = typing.get_args(annotation) or (object,)
    for number, each in enumerate(value):
        fit(each, part, f"{setting}[{number}]")
    return value


def _tuple(value: object, annotation: object, setting: str) -> object:
    if not isinstance(value, list | tuple):
        raise _mistyped(setting, value, annotation)
    parts = typing.get_args(annotation) or (object, ...)
    if parts[-1] is ...:
        parts = parts[:1] * len(value)
    if len(parts) != len(value):
        raise _mistyped(setting, value, annotation)
    return tuple(fit(each, part, f"{setting}[{i}]") for i, (each, part) in enumerate(zip(value, parts, strict=True)))


def _mapping(value: object, annotation: object, setting: str) -> object:
    if not isinstance(value, Mapping):
        raise _mistyped(setting, value, annotation)
    name, part = typing.get_args(annotation) or (object, object)
    for key, each in value.items():
        try:
            fit(key, name, f"{setting}.{key}")
        except SettingError as error:
            raise SettingError(error.setting, f"no such setting; {error.problem}") from None
        fit(each, part, f"{setting}.{key}")
    return value


def _number(kind: type) -> Callable[[object, object, str], object]:
    def read(value: object, annotation: object, setting: str) -> object:
        if isinstance(value, bool) or not isinstance(value, kind):
            raise _mistyped(setting, value, annotation)
        return value

    return read


def _exact(value: object, annotation: object, setting: str) -> object:
    if not isinstance(value, typing.cast(type, annotation)):
        raise _mistyped(setting, value, annotation)
    return value


def _object(value: object, annotation: object, setting: str) -> object:
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return value  # a type variable, or a name that is not resolved
    protocol = getattr(kind, "_is_protocol", False)
    decides = inspect.isabstract(kind) and not protocol
    if (decides or isinstance(value, _PLAIN)) and (protocol or not isinstance(value, kind)):
        raise _mistyped(setting, value, annotation)
    return value


def _any(value: object, annotation: object, setting: str) -> object:
    return value


_READERS: Mapping[object, Callable[[object, object, str], object]] = {
    Annotated: _annotated,
    Any: _any,
    Literal: _literal,
    Mapping: _mapping,
    Sequence: _sequence,
    bool: _exact,
    dict: _mapping,
    float: _number(Real),
    int: _number(Integral),
    list: _sequence,
    object: _any,
    str: _exact,
    tuple: _tuple,
    types.NoneType: _exact,
    types.UnionType: _union,
    typing.Union: _union,
}


class _TypeError(SettingError):
    """The value has another type."""


def _mistyped(setting: str, value: object, annotation: object) -> _TypeError:
    needed, given = _words(annotation), _KINDS.get(type(value), "")
    but = f", not {given}" if given and given not in needed else ""
    return _TypeError(setting, f"{needed} is needed{but}", shown(value))


_KINDS: Mapping[object, str] = {
    dict: "a mapping",
    float: "a decimal number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    tuple: "a list",
}
"""Descriptions of values' types."""

_WORDS: Mapping[object, str] = {
    **_KINDS,
    Mapping: "a mapping",
    Sequence: "a list",
    bool: "true or false",
    float: "a number",
    types.NoneType: "null",
}
"""Descriptions of the required types."""


def _words(annotation: object) -> str:
    form, parts = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if form is Annotated:
        return _words(parts[0])
    if form in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_words, parts)))
    if form in (list, Sequence, tuple) and parts:
        several = re.sub(r"^an? (.*)", r"\1s", _words(parts[0]))
        fixed = form is tuple and parts[-1] is not ...
        return f"a list of {f'{len(parts)} ' if fixed else ''}{several}"
    name = getattr(form, "__name__", str(form))
    return _WORDS.get(form, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")
