"""What an object of a user's own must have, checked before any compute: one message, not an AttributeError in the middle."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.traits import Needs, PolicyTraits, VerifierTraits
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine

T = TypeVar("T")


class _Shape(Protocol):
    """Says what is wrong with a member, None where it is right."""

    def __call__(self, value: object) -> str | None:
        """Looks at the value."""


def _coroutine(value: object) -> str | None:
    if not callable(value):
        return "is not a method"
    # A decorator may well return what its function does.
    return None if inspect.iscoroutinefunction(inspect.unwrap(value)) else "is not `async def`"


def _generator(value: object) -> str | None:
    if not callable(value):
        return "is not a method"
    if inspect.iscoroutinefunction(value):
        return "is a coroutine, and must yield: `async def` with `yield` in it"
    return "is not `async def`" if inspect.isgeneratorfunction(value) else None


def _method(value: object) -> str | None:
    return None if callable(value) else "is not a method"


def _of_type(wanted: type, described: str) -> _Shape:
    def look(value: object) -> str | None:
        right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        return None if right else f"is {value!r}, and must be {described}"

    return look


def _whole(value: object) -> str | None:
    return _of_type(int, "a whole number of 1 or more")(value) or (
        None if isinstance(value, int) and value >= 1 else f"is {value!r}, and must be 1 or more"
    )


_FLAG = _of_type(bool, "True or False")
_POLICY: dict[str, _Shape] = {
    "traits": _of_type(PolicyTraits, "a tts.core.traits.PolicyTraits"),
    "splits": _FLAG,
    "solutions": _generator,
    "steps": _generator,
    "revisions": _generator,
    "token_bound": _method,
    "check": _method,
}
_VERIFIER: dict[str, _Shape] = {
    "verify": _coroutine,
    "traits": _of_type(VerifierTraits, "a tts.core.traits.VerifierTraits"),
    "votes": _whole,
    "token_bound": _method,
    "check": _method,
    "preview": _method,
}
_STRATEGY: dict[str, _Shape] = {
    "search": _coroutine,
    "samples": _whole,
    "needs": _of_type(Needs, "a tts.core.traits.Needs"),
    "verifies": _FLAG,
    "token_bound": _method,
}
_GRADER: dict[str, _Shape] = {
    "runs_code": _FLAG,
    "answer": _method,
    "group": _coroutine,
    "check": _method,
    "right": _coroutine,
    "correct": _coroutine,
    "equivalent": _coroutine,
    "close": _coroutine,
    "failures": _of_type(int, "a whole number"),
    "unsure": _of_type(int, "a whole number"),
}
_TASK: dict[str, _Shape] = {"name": _of_type(str, "a text"), "problems": _method, "check": _method, "count": _method}
_ENGINE: dict[str, _Shape] = {
    "name": _of_type(str, "a text"),
    "capacity": _whole,
    "start": _coroutine,
    "close": _coroutine,
}
_GENERATES: dict[str, _Shape] = {**_ENGINE, "generate": _generator, "count_tokens": _coroutine}
_SCORES: dict[str, _Shape] = {**_ENGINE, "score": _coroutine}
_OLD = ("lacks", "reads_answers", "aggregators")
"""Members of plug-ins that were written for an earlier version."""


def check_policy(policy: Policy) -> Policy:
    """Returns a policy that has all members of its interface.

    Raises:
        UserError: It has not.
    """
    return _checked(policy, "policy", _POLICY, "policies.base.BasePolicy")


def check_verifier(verifier: Verifier) -> Verifier:
    """Returns a verifier that has all members of its interface.

    Raises:
        UserError: It has not.
    """
    return _checked(verifier, "verifier", _VERIFIER, "verifiers.base.BaseVerifier")


def check_strategy(strategy: SearchStrategy) -> SearchStrategy:
    """Returns a strategy that has all members of its interface.

    Raises:
        UserError: It has not.
    """
    return _checked(strategy, "search", _STRATEGY, "search.base.BaseStrategy")


def check_grader(grader: Grader) -> Grader:
    """Returns a grader that has all members of its interface.

    Raises:
        UserError: It has not.
    """
    return _checked(grader, "grading", _GRADER, "tts.core.grader.Grader")


def check_task(task: Task) -> Task:
    """Returns a task that has all members of its interface.

    Raises:
        UserError: It has not.
    """
    return _checked(task, "task", _TASK, "tts.core.task.Task")


def check_engine(engine: BaseEngine, place: str) -> BaseEngine:
    """Returns an engine that has all members of its interface: one that scores where it has a method for that.

    Raises:
        UserError: It has not.
    """
    scores = hasattr(engine, "score")
    base = "tts.engines.scoring.ScoringEngine" if scores else "tts.engines.generating.Engine"
    return _checked(engine, f"engines[{place!r}]", _SCORES if scores else _GENERATES, base)


def _checked(part: T, where: str, members: dict[str, _Shape], base: str) -> T:
    name = type(part).__name__
    if isinstance(part, type):
        raise UserError(f"{where}: {part.__name__} is a class, and an object is needed: {part.__name__}(...)")
    wrong: Sequence[str] = [
        f"{member} {said}" for member, shape in members.items() if (said := _look(part, member, shape)) is not None
    ]
    if wrong:
        raise UserError(f"{where} ({name}): {'; '.join(wrong)}; {base} has what few need to change: derive from it")
    old = [member for member in _OLD if hasattr(part, member)]
    if old:
        raise UserError(f"{where} ({name}): {', '.join(old)}: not read any more; say it in `traits` (tts.core.traits)")
    return part


def _look(part: object, member: str, shape: Callable[[object], str | None]) -> str | None:
    try:
        value = getattr(part, member)
    except Exception as error:  # a property of whoever wrote the part
        if inspect.getattr_static(part, member, None) is None:
            return "is missing"
        return f"cannot be read ({type(error).__name__}: {error})"
    return shape(value)
