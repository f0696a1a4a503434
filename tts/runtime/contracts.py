"""Checks the interfaces of objects that users wrote before any compute: one message, not an AttributeError halfway."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.rationale import Writer
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.traits import Needs, PolicyTraits, VerifierTraits
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine

T = TypeVar("T")


class _Shape(Protocol):
    """Returns what is wrong with a member, None if it is right."""

    def __call__(self, value: object) -> str | None:
        """Checks the value."""


def _coroutine(value: object) -> str | None:
    if not callable(value):
        return "is not a method"
    # A decorator may return what its function returns.
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
_OLD = ("lacks", "reads_answers", "aggregators")
"""Members of plug-ins written for an earlier version."""


@dataclass(frozen=True)
class Contract(Generic[T]):
    """An interface that an object of a user must have.

    Attributes:
        where: What the object is, for messages.
        base: Class to derive from, which has the defaults.
        members: How to check each member.
    """

    where: str
    base: str
    members: Mapping[str, _Shape]

    def checked(self, part: T) -> T:
        """Returns the object if it has all members.

        Raises:
            UserError: It does not.
        """
        name = type(part).__name__
        if isinstance(part, type):
            raise UserError(f"{self.where}: {part.__name__} is a class, and an object is needed: {part.__name__}(...)")
        wrong = [
            f"{member} {said}"
            for member, shape in self.members.items()
            if (said := _look(part, member, shape)) is not None
        ]
        if wrong:
            raise UserError(
                f"{self.where} ({name}): {'; '.join(wrong)}; derive from {self.base}, which has what few need to change"
            )
        old = [member for member in _OLD if hasattr(part, member)]
        if old:
            raise UserError(
                f"{self.where} ({name}): {', '.join(old)}: no longer read; declare it in `traits` (tts.core.traits)"
            )
        return part


POLICY: Contract[Policy] = Contract(
    "policy",
    "policies.base.BasePolicy",
    {
        "traits": _of_type(PolicyTraits, "a tts.core.traits.PolicyTraits"),
        "splits": _FLAG,
        "solutions": _generator,
        "steps": _generator,
        "revisions": _generator,
        "token_bound": _method,
        "check": _method,
    },
)
# `vote` is younger than the rest; without it, a verifier's single vote is its verdict (`CheckedVerifier.vote`).
VERIFIER: Contract[Verifier] = Contract(
    "verifier",
    "verifiers.base.BaseVerifier",
    {
        "verify": _coroutine,
        "traits": _of_type(VerifierTraits, "a tts.core.traits.VerifierTraits"),
        "votes": _whole,
        "token_bound": _method,
        "check": _method,
        "preview": _method,
    },
)
STRATEGY: Contract[SearchStrategy] = Contract(
    "search",
    "search.base.BaseStrategy",
    {
        "search": _coroutine,
        "samples": _whole,
        "needs": _of_type(Needs, "a tts.core.traits.Needs"),
        "verifies": _FLAG,
        "token_bound": _method,
    },
)
GRADER: Contract[Grader] = Contract(
    "grading",
    "tts.core.grader.Grader",
    {
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
    },
)
WRITER: Contract[Writer] = Contract(
    "writer",
    "verifiers.rationales.base.BaseWriter",
    {
        "write": _coroutine,
        "by_step": _FLAG,
        "runs_code": _FLAG,
        "token_bound": _method,
        "check": _method,
        "preview": _method,
    },
)
TASK: Contract[Task] = Contract(
    "task",
    "tts.core.task.Task",
    {"name": _of_type(str, "a text"), "problems": _method, "check": _method, "count": _method},
)
_ENGINE = {"name": _of_type(str, "a text"), "capacity": _whole, "start": _coroutine, "close": _coroutine}


def engine_contract(engine: BaseEngine, place: str) -> Contract[BaseEngine]:
    """Returns the contract of an engine at a place: that of scoring engines if it has a method `score`."""
    where = f"engines[{place!r}]"
    if hasattr(engine, "score"):
        return Contract(where, "tts.engines.scoring.ScoringEngine", {**_ENGINE, "score": _coroutine})
    generates = {**_ENGINE, "generate": _generator, "count_tokens": _coroutine}
    return Contract(where, "tts.engines.generating.Engine", generates)


def _look(part: object, member: str, shape: Callable[[object], str | None]) -> str | None:
    try:
        value = getattr(part, member)
    except Exception as error:  # raised by a property of the user's part
        if inspect.getattr_static(part, member, None) is None:
            return "is missing"
        return f"cannot be read ({type(error).__name__}: {error})"
    return shape(value)
