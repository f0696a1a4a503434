"""Parameters of a class or function with their types, including those passed to a base class through `**kwargs`."""

from __future__ import annotations

import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Accepted:
    """A parameter that can be passed by name.

    Attributes:
        annotation: Its type; `object` if not annotated.
        required: Whether it has no default.
    """

    annotation: object
    required: bool


def accepted(target: Callable[..., object]) -> dict[str, Accepted]:
    """Returns the parameters of a class or function by name.

    After those of a constructor with `**kwargs` come those of the next one in its MRO, to which it is assumed to pass
    them: `def __init__(self, extra: int = 1, **kwargs)` takes `extra` and its base class's parameters.
    """
    found: dict[str, Accepted] = {}
    for function, parameters in _links(target):
        hints = hints_of(function)
        for name, parameter in parameters.items():
            required = parameter.default is inspect.Parameter.empty
            found.setdefault(name, Accepted(hints.get(name, object), required))
    return found


def _links(target: Callable[..., object]) -> Iterator[tuple[Callable[..., object], dict[str, inspect.Parameter]]]:
    """Yields the functions that a call passes through via `**kwargs`, with their named parameters."""
    bases = target.__mro__[:-1] if inspect.isclass(target) else ()
    chain = [vars(base)["__init__"] for base in bases if "__init__" in vars(base)] if bases else [target]
    for function in chain:
        parameters = inspect.signature(function).parameters
        # The first parameter of a constructor is the object itself.
        named = list(parameters.items())[1 if bases else 0 :]
        yield function, {name: parameter for name, parameter in named if parameter.kind not in _VARIADIC}
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            return


def hints_of(function: Callable[..., object]) -> dict[str, object]:
    """Returns the types of a function's parameters, including `Annotated` metadata.

    Types that cannot be resolved, such as imports only for type checkers, are left out.
    """
    plain = inspect.unwrap(function)
    hints: dict[str, object] = {}
    for name, annotation in getattr(plain, "__annotations__", {}).items():
        lone = types.SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(NameError):
            hints |= typing.get_type_hints(lone, plain.__globals__, include_extras=True)
    hints.pop("return", None)
    return hints
