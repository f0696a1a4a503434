"""What a caller chooses for a search: by name, by override, or as objects of his own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeVar

from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.setting_error import nearest
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.generating import Engine
from tts.runtime.contracts import check_engine, check_grader, check_policy, check_strategy, check_task, check_verifier

T = TypeVar("T")

GROUPS = ("task", "policy", "verifier", "search", "grading")
"""What can be an object of the caller's own."""


class Arguments(TypedDict, total=False):
    """Keywords of a search, each in the place of an override.

    Attributes:
        task: Where several problems are searched: the name of an option, or a `Task`.
        policy: The name of an option, or a `Policy`.
        verifier: The name of an option, or a `Verifier`.
        search: The name of an option, or a `SearchStrategy`.
        grading: The name of an option, or a `Grader`.
        n: `search.n`, how many solutions.
        votes: `verifier.votes`, K.
        seed: `seed`.
        limit: `task.limit`, how many problems.
        sandbox: The name of an option.
        bank: `bank.path`, the file in which samples are kept.
        budget: Limits of each problem by name, such as `{"tokens": 2000}`.
        engines: Engines of the caller's own, by whose they are: `{"policy": engine}`.
    """

    task: str | Task
    policy: str | Policy
    verifier: str | Verifier
    search: str | SearchStrategy
    grading: str | Grader
    n: int
    votes: int
    seed: int
    limit: int
    sandbox: str
    bank: str | Path
    budget: Mapping[str, float]
    engines: Mapping[str, Engine]


_SETTINGS = {"n": "search.n", "votes": "verifier.votes", "limit": "task.limit", "seed": "seed", "bank": "bank.path"}
"""Keywords that stand for a setting."""

_KINDS: Mapping[str, object] = {
    **dict.fromkeys((*GROUPS, "sandbox"), str),
    **dict.fromkeys(("n", "votes", "seed", "limit"), int),
    "bank": str | Path,
    "budget": Mapping[str, float],
    "engines": Mapping[str, object],
}
"""What values of keywords must be, where they are not objects."""

_NAMES = ", ".join(_KINDS)


@dataclass(frozen=True)
class Choices:
    """A search as its caller chose it.

    Attributes:
        overrides: As the command line takes them.
        task: The caller's own, as are the others; None for what the configuration says.
        policy: Proposes.
        verifier: Judges.
        strategy: Spends.
        grader: Grades.
        engines: By whose they are.
    """

    overrides: tuple[str, ...] = ()
    task: Task | None = None
    policy: Policy | None = None
    verifier: Verifier | None = None
    strategy: SearchStrategy | None = None
    grader: Grader | None = None
    engines: Mapping[str, Engine] = field(default_factory=dict)

    def own(self) -> dict[str, object]:
        """Returns the groups that are objects of the caller's own."""
        parts = (self.task, self.policy, self.verifier, self.strategy, self.grader)
        return {group: part for group, part in zip(GROUPS, parts, strict=True) if part is not None}

    def over(self, below: Choices) -> Choices:
        """Returns these on top of others, of which only what says nothing of the same things is left.

        Raises:
            UserError: A setting is of what is an object in the others.
        """
        said, objects = {_name(override) for override in self.overrides}, self.own()
        replaced = [*objects, *(f"{place}.engine" for place in self.engines)]
        kept = tuple(
            override
            for override in below.overrides
            if _name(override) not in said and not any(_within(override, place) for place in replaced)
        )
        engines = {
            place: engine
            for place, engine in below.engines.items()
            if not any(_under(place, group) for group in objects)
        }

        def part(group: str, own: T | None, other: T | None) -> T | None:
            return own if own is not None or group in said else other

        made = Choices(
            (*kept, *self.overrides),
            part("task", self.task, below.task),
            part("policy", self.policy, below.policy),
            part("verifier", self.verifier, below.verifier),
            part("search", self.strategy, below.strategy),
            part("grading", self.grader, below.grader),
            {**engines, **self.engines},
        )
        made.check()
        return made

    def check(self) -> None:
        """Raises UserError where a setting, or an engine, is of what is an object of the caller's own."""
        for group, part in self.own().items():
            said = f"{group}={type(part).__name__}(...), an object with its own settings"
            for override in self.overrides:
                if _within(override, group):
                    raise UserError(f"'{override}' contradicts {said}")
            for place in self.engines:
                if _under(place, group):
                    raise UserError(f"engines[{place!r}] contradicts {said}: give it the engine when you make it")
        for place, engine in self.engines.items():
            for override in self.overrides:
                if _within(override, f"{place}.engine"):
                    raise UserError(f"'{override}' contradicts engines[{place!r}], which is a {type(engine).__name__}")


def choose(overrides: Sequence[str], arguments: Arguments) -> Choices:
    """Returns the choices that overrides and keywords make together.

    Raises:
        UserError: A keyword is unknown or no value for it, two of them contradict each other, or an object lacks what it
            must have.
    """
    for name in arguments:
        if name not in _KINDS:
            near = nearest(name, _KINDS)
            raise UserError(
                f"{name}: no such argument; " + (f"did you mean {near}?" if near else f"there are {_NAMES}")
            )
    for override in overrides:
        if not isinstance(override, str):
            raise UserError(f"{override!r}: an override is a text such as 'search.n=8'; objects go by keyword")
    task, policy, verifier = arguments.get("task"), arguments.get("policy"), arguments.get("verifier")
    strategy, grader = arguments.get("search"), arguments.get("grading")
    engines = arguments.get("engines") or {}
    fit(engines, _KINDS["engines"], "engines")
    made = Choices(
        tuple(_written(overrides, arguments)),
        None if task is None or isinstance(task, str) else check_task(task),
        None if policy is None or isinstance(policy, str) else check_policy(policy),
        None if verifier is None or isinstance(verifier, str) else check_verifier(verifier),
        None if strategy is None or isinstance(strategy, str) else check_strategy(strategy),
        None if grader is None or isinstance(grader, str) else check_grader(grader),
        {place: check_engine(engine, place) for place, engine in engines.items()},
    )
    made.check()
    return made


def _written(overrides: Sequence[str], arguments: Arguments) -> list[str]:
    """Returns the overrides, and those that keywords stand for."""
    made = [*overrides]
    given: dict[str, object] = {name: value for name, value in arguments.items() if value is not None}
    own = {group for group in GROUPS if group in given and not isinstance(given[group], str)}
    for name, value in given.items():
        key = _SETTINGS.get(name, name)
        if name in own or name == "engines":
            continue
        fit(value, _KINDS[name], name)
        group = key.partition(".")[0]
        if group in own:
            kind = type(given[group]).__name__
            raise UserError(f"{name}={value}: {group} is an object ({kind}), which has its own settings")
        limits = value.items() if isinstance(value, Mapping) else ()
        for limit, bound in limits:
            _add(made, f"budget.problem.{limit}", str(bound), f"budget[{limit!r}]={bound}")
        if not isinstance(value, Mapping):
            _add(made, key, _quoted(value) if name == "bank" else str(value), f"{name}={value!r}")
    return made


def _add(overrides: list[str], key: str, value: str, said: str) -> None:
    """Adds an override that a keyword stands for.

    Raises:
        UserError: Another override says something else.
    """
    for other in overrides:
        if _name(other) == key:
            if other.partition("=")[2].strip("'\"") == value.strip("'\""):
                return
            raise UserError(f"{said} contradicts '{other}'; give one of them")
    overrides.append(f"{key}={value}")


def _quoted(value: object) -> str:
    """Returns a value as a text of Hydra's, in which a quote is escaped and a backslash in front of one doubled."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + "\\" * bool(found[2]) + found[2], str(value)) + "'"


def _name(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _within(override: str, place: str) -> bool:
    """Whether an override is about `place`, its option or what is in it."""
    return _under(_name(override).rpartition("@")[2], place)


def _under(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")
