"""What a caller chooses for a search: by name, by override, or as objects of his own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine
from tts.runtime.contracts import check_engine, check_grader, check_policy, check_strategy, check_task, check_verifier

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
    engines: Mapping[str, BaseEngine]


_SETTINGS = {"n": "search.n", "votes": "verifier.votes", "limit": "task.limit", "seed": "seed", "bank": "bank.path"}
"""Keywords that stand for a setting."""


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
    engines: Mapping[str, BaseEngine] = field(default_factory=dict)

    def own(self) -> dict[str, object]:
        """Returns the groups that are objects of the caller's own."""
        parts = (self.task, self.policy, self.verifier, self.strategy, self.grader)
        return {group: part for group, part in zip(GROUPS, parts, strict=True) if part is not None}


def choose(overrides: Sequence[str], arguments: Arguments) -> Choices:
    """Returns the choices that overrides and keywords make together.

    Raises:
        UserError: A keyword is unknown, two of them contradict each other, or an object lacks what it must have.
    """
    for name in arguments:
        if name not in Arguments.__annotations__:
            raise UserError(f"{name}: no such argument; there are {', '.join(Arguments.__annotations__)}")
    for override in overrides:
        if not isinstance(override, str):
            raise UserError(f"{override!r}: an override is a text such as 'search.n=8'; objects go by keyword")
    made = [*overrides]
    task, policy, verifier = arguments.get("task"), arguments.get("policy"), arguments.get("verifier")
    strategy, grader = arguments.get("search"), arguments.get("grading")
    groups: dict[str, object] = dict(zip(GROUPS, (task, policy, verifier, strategy, grader), strict=True))
    for group, part in groups.items():
        if isinstance(part, str):
            _add(made, group, part, f"{group}={part!r}")
        elif part is not None:
            _refuse_settings_of(made, group, part)
    for name, key in _SETTINGS.items():
        value = arguments.get(name)
        if value is not None:
            group = key.partition(".")[0]
            part = groups.get(group)
            if part is not None and not isinstance(part, str):
                raise UserError(
                    f"{name}={value}: {group} is an object ({type(part).__name__}), which has its own settings"
                )
            _add(made, key, f"'{value}'" if name == "bank" else str(value), f"{name}={value!r}")
    if "sandbox" in arguments:
        _add(made, "sandbox", arguments["sandbox"], f"sandbox={arguments['sandbox']!r}")
    for limit, bound in arguments.get("budget", {}).items():
        _add(made, f"budget.problem.{limit}", str(bound), f"budget[{limit!r}]={bound}")
    engines = dict(arguments.get("engines", {}))
    for place, engine in engines.items():
        check_engine(engine, place)
    return Choices(
        tuple(made),
        None if task is None or isinstance(task, str) else check_task(task),
        None if policy is None or isinstance(policy, str) else check_policy(policy),
        None if verifier is None or isinstance(verifier, str) else check_verifier(verifier),
        None if strategy is None or isinstance(strategy, str) else check_strategy(strategy),
        None if grader is None or isinstance(grader, str) else check_grader(grader),
        engines,
    )


def _add(overrides: list[str], key: str, value: str, said: str) -> None:
    """Adds an override that a keyword stands for.

    Raises:
        UserError: Another override says something else.
    """
    for other in overrides:
        name, _, given = other.partition("=")
        if name.lstrip("+") == key:
            if given.strip("'\"") == value.strip("'\""):
                return
            raise UserError(f"{said} contradicts '{other}'; give one of them")
    overrides.append(f"{key}={value}")


def _refuse_settings_of(overrides: Sequence[str], group: str, part: object) -> None:
    for override in overrides:
        name = override.partition("=")[0].lstrip("+~")
        if name == group or name.startswith(f"{group}."):
            raise UserError(
                f"'{override}' contradicts {group}={type(part).__name__}(...), an object with its own settings"
            )
