"""The choices of a caller: options by name, overrides, or objects."""

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
from tts.engines.base import BaseEngine
from tts.runtime.contracts import GRADER, POLICY, STRATEGY, TASK, VERIFIER, Contract, engine_contract

T = TypeVar("T")

GROUPS = ("task", "policy", "verifier", "search", "grading")
"""Groups that can be objects of the caller."""


class Arguments(TypedDict, total=False):
    """Keywords of a search, each instead of an override.

    Attributes:
        task: Of an evaluation: the name of an option, or a `Task`.
        policy: The name of an option, or a `Policy`.
        verifier: The name of an option, or a `Verifier`.
        search: The name of an option, or a `SearchStrategy`.
        grading: The name of an option, or a `Grader`.
        n: `search.n`, number of solutions.
        votes: `verifier.votes`, K.
        seed: `seed`.
        limit: `task.limit`, number of problems.
        sandbox: The name of an option.
        bank: `bank.path`, the file that stores samples.
        budget: Limits of each problem by name, such as `{"tokens": 2000}`.
        engines: Engines that the caller made, by place: `{"policy": engine}`.
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
    engines: Mapping[str, BaseEngine]


_SETTINGS = {"n": "search.n", "votes": "verifier.votes", "limit": "task.limit", "seed": "seed", "bank": "bank.path"}
"""Keywords that stand for a setting."""

_KINDS: Mapping[str, object] = {
    **dict.fromkeys(("n", "votes", "seed", "limit"), int),
    "sandbox": str,
    "bank": str | Path,
    "budget": Mapping[str, float],
    "engines": Mapping[str, object],
}
"""Types of the other keywords."""


@dataclass(frozen=True)
class Choices:
    """A search as its caller described it.

    Attributes:
        overrides: Overrides as on the command line.
        task: An object of the caller, as are the following; None for what the configuration describes.
        policy: The policy.
        verifier: The verifier.
        strategy: The search strategy.
        grader: The grader.
        engines: By place.
    """

    overrides: tuple[str, ...] = ()
    task: Task | None = None
    policy: Policy | None = None
    verifier: Verifier | None = None
    strategy: SearchStrategy | None = None
    grader: Grader | None = None
    engines: Mapping[str, BaseEngine] = field(default_factory=dict)

    def own(self) -> dict[str, object]:
        """Returns the groups that are objects of the caller."""
        parts = (self.task, self.policy, self.verifier, self.strategy, self.grader)
        return {group: part for group, part in zip(GROUPS, parts, strict=True) if part is not None}

    def over(self, others: Choices) -> Choices:
        """Returns these choices, completed by `others`.

        An object here replaces an option there with its settings and its engine; an option here replaces an object there.

        Raises:
            UserError: A setting here is for an object there.
        """
        chosen, own = {_key(override) for override in self.overrides}, self.own()
        kept = [
            override
            for override in others.overrides
            if _key(override) not in chosen
            and _group(override) not in own
            and not any(
                f"{_key(override).rpartition('@')[2]}.".startswith(f"{place}.engine.") for place in self.engines
            )
        ]
        for group, part in others.own().items():
            if group not in chosen and group not in own:
                _refuse_settings_of(self.overrides, group, part)

        def first(group: str, mine: T | None, theirs: T | None) -> T | None:
            return theirs if mine is None and group not in chosen else mine

        made = Choices(
            (*kept, *self.overrides),
            first("task", self.task, others.task),
            first("policy", self.policy, others.policy),
            first("verifier", self.verifier, others.verifier),
            first("search", self.strategy, others.strategy),
            first("grading", self.grader, others.grader),
            {**{at: one for at, one in others.engines.items() if at.partition(".")[0] not in own}, **self.engines},
        )
        made.check()
        return made

    def check(self) -> None:
        """Raises UserError if an engine of the caller belongs to an object of the caller, or has a setting."""
        own = self.own()
        for place, engine in self.engines.items():
            part = own.get(place.partition(".")[0])
            if part is not None:
                said = f"{place.partition('.')[0]}={type(part).__name__}(...), an object with its own engine"
                raise UserError(f"engines[{place!r}] contradicts {said}")
            for override in self.overrides:
                name = _key(override).rpartition("@")[2]
                if name == f"{place}.engine" or name.startswith(f"{place}.engine."):
                    raise UserError(f"'{override}' contradicts engines[{place!r}], which is a {type(engine).__name__}")


def choose(overrides: Sequence[str], arguments: Arguments) -> Choices:
    """Returns the choices that overrides and keywords express.

    Raises:
        UserError: A keyword is unknown, two of them contradict each other, or an object lacks a member of its interface.
    """
    _check_arguments(arguments)
    made: list[str] = []
    for override in overrides:
        if not isinstance(override, str):
            raise UserError(f"{override!r}: an override is a text such as 'search.n=8'; pass objects by keyword")
        _add(made, override, f"'{override}'")
    task, policy, verifier = arguments.get("task"), arguments.get("policy"), arguments.get("verifier")
    strategy, grader = arguments.get("search"), arguments.get("grading")
    groups: dict[str, object] = dict(zip(GROUPS, (task, policy, verifier, strategy, grader), strict=True))
    for group, part in {**groups, "sandbox": arguments.get("sandbox")}.items():
        if isinstance(part, str):
            _add(made, f"{group}={_option(group, part)}", f"{group}={part!r}")
        elif part is not None:
            _refuse_settings_of(made, group, part)
    for name, key in _SETTINGS.items():
        value = arguments.get(name)
        if value is not None:
            part = groups.get(key.partition(".")[0])
            if part is not None and not isinstance(part, str):
                raise UserError(
                    f"{name}={value}: {key.partition('.')[0]} is an object with its own settings ({type(part).__name__})"
                )
            _add(made, f"{key}={quoted(str(value)) if name == 'bank' else value}", f"{name}={value!r}")
    for limit, bound in (arguments.get("budget") or {}).items():
        _add(made, f"budget.problem.{limit}={bound}", f"budget[{limit!r}]={bound}")
    engines = dict(arguments.get("engines") or {})
    for place, engine in engines.items():
        engine_contract(engine, place).checked(engine)
    chosen = Choices(
        tuple(made),
        _object(task, TASK),
        _object(policy, POLICY),
        _object(verifier, VERIFIER),
        _object(strategy, STRATEGY),
        _object(grader, GRADER),
        engines,
    )
    chosen.check()
    return chosen


def _object(given: str | T | None, contract: Contract[T]) -> T | None:
    """Returns an object of the caller, checked; None if an option was chosen by name, or nothing."""
    return None if given is None or isinstance(given, str) else contract.checked(given)


def _check_arguments(arguments: Mapping[str, object]) -> None:
    """Raises UserError if a keyword is unknown, or its value is of a wrong type."""
    for name, value in arguments.items():
        if name not in _KINDS and name not in GROUPS:
            known = Arguments.__annotations__
            near = nearest(name, known)
            hint = f"did you mean '{near}'?" if near else f"there are {', '.join(known)}"
            raise UserError(f"{name}: no such argument; {hint}")
        if name in _KINDS and value is not None:
            fit(value, _KINDS[name], name)


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _group(override: str) -> str:
    """Returns the group that an override concerns: `verifier` of `verifier.votes=3` and `engine@verifier.engine=openai`."""
    return _key(override).rpartition("@")[2].partition(".")[0]


def _option(group: str, name: str) -> str:
    if re.fullmatch(r"[\w.+/-]+", name) is None:
        raise UserError(
            f"{group}={name!r}: the name of an option is needed; pass its settings as overrides ('{group}.x=1')"
        )
    return name


def quoted(text: str) -> str:
    """Returns a text quoted for an override."""
    escaped = re.sub(r"(?<!\\)(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


def _add(overrides: list[str], override: str, said: str) -> None:
    """Adds an override.

    Raises:
        UserError: It contradicts another one.
    """
    for other in overrides:
        if _key(other) == _key(override):
            if _value(other) == _value(override):
                return
            raise UserError(f"{said} contradicts '{other}'; give one of them")
    overrides.append(override)


def _value(override: str) -> str:
    return override.partition("=")[2].strip("'\"")


def _refuse_settings_of(overrides: Sequence[str], group: str, part: object) -> None:
    for override in overrides:
        if _group(override) == group:
            raise UserError(
                f"'{override}' contradicts {group}={type(part).__name__}(...), an object with its own settings"
            )
