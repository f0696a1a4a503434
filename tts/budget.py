"""Metering and limits: what a search costs is charged where it arises, added up per scope, and held against its limits.

A scope travels with the task context (`contextvars`), so strategies, policies and verifiers need no accounting: engines'
clients and code execution charge the scope that they run in, and every charge also counts in the scopes around it. They ask
`check` before they spend; what is in flight when a limit is reached is finished and paid, so a search exceeds a limit by no
more than that. Only a time limit cuts what is in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Literal, TypeVar

from tts.core.errors import UserError

T = TypeVar("T")
Role = Literal["policy", "verifier"]


@dataclass
class Usage:
    """Amounts spent.

    Attributes:
        calls: Requests to an engine.
        samples: Completions that engines returned.
        prompt_tokens: Tokens of the prompts sent, counted once a request however many samples it asked for. A prompt
            that repeats an earlier one counts again, whatever the engine's cache saves.
        completion_tokens: Tokens sampled.
        flops: 2 x the model's parameters x (prompt tokens + completion tokens); an upper bound where prefixes are cached.
        dollars: By the engine's prices.
        generated_tokens: The completion tokens that this run sampled itself; recorded ones are not among them.
        verifications: Judgements: one vote on one step.
        code_executions: Pieces of model-written code that were run.
        seconds: Time that requests and executions were in flight, added up; more than wall-clock where they overlap.
    """

    calls: int = 0
    samples: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    flops: float = 0.0
    dollars: float = 0.0
    generated_tokens: int = 0
    verifications: int = 0
    code_executions: int = 0
    seconds: float = 0.0

    def add(self, other: Usage) -> None:
        """Adds another usage to this one."""
        mine, others = self.__dict__, other.__dict__
        for name, amount in others.items():
            if amount:
                mine[name] += amount


@dataclass(frozen=True)
class Limits:
    """What a scope may spend; None for no limit.

    Attributes:
        tokens: Completion tokens of policy and verifier together.
        policy_tokens: The policy's.
        verifier_tokens: The verifier's.
        calls: Requests to engines.
        code_executions: Pieces of model-written code.
        flops: As in `Usage`, of both together.
        dollars: By the engines' prices, of both together.
        seconds: Wall-clock time.

    Raises:
        UserError: A limit is not above 0, or one could never be reached since a wider one is reached before it.
    """

    tokens: int | None = None
    policy_tokens: int | None = None
    verifier_tokens: int | None = None
    calls: int | None = None
    code_executions: int | None = None
    flops: float | None = None
    dollars: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        for item in fields(self):
            bound = getattr(self, item.name)
            if bound is not None and not bound > 0:
                raise UserError(f"{item.name}={bound}: a limit must be more than 0; null sets none")
        for part in ("policy_tokens", "verifier_tokens"):
            check_part(part, getattr(self, part), "tokens", self.tokens)


def check_part(part: str, inner: float | None, whole: str, outer: float | None) -> None:
    """Raises UserError where the limit called `part` is above the limit called `whole`, which always comes first."""
    if inner is not None and outer is not None and inner > outer:
        raise UserError(
            f"{part}={inner} can never be reached: {whole}={outer} comes first; lower the one or raise the other"
        )


class Budget:
    """The limits of a run.

    Args:
        problem: Of each problem.
        run: Of all of them together.

    Raises:
        UserError: A problem's limit is above the run's.
    """

    def __init__(self, problem: Limits, run: Limits) -> None:
        for item in fields(Limits):
            parts = getattr(problem, item.name), getattr(run, item.name)
            check_part(f"problem.{item.name}", parts[0], f"run.{item.name}", parts[1])
        self.problem = problem
        self.run = run

    def limits(self, name: str) -> bool:
        """Whether there is a limit of this name."""
        return getattr(self.problem, name) is not None or getattr(self.run, name) is not None


class LimitReached(Exception):  # noqa: N818  no fault
    """A limit does not allow to spend more; the search ends with what it has. Holds the limit's name."""


@dataclass
class Scope:
    """The meter of one piece of work (a problem, a run) and of everything inside it.

    Attributes:
        parent: The scope around it.
        name: What its limits are called by.
        limits: What it may spend.
        order: Its place among those who compete for an engine: lower ones go first.
        usage: What it has spent so far, by role.
        hit: The limits, its own and those around it, that something in it ran into.
        started: Time of the event loop.
    """

    parent: Scope | None = None
    name: str = ""
    limits: Limits = field(default_factory=Limits)
    order: int = 0
    usage: dict[Role, Usage] = field(default_factory=lambda: {"policy": Usage(), "verifier": Usage()})
    hit: set[str] = field(default_factory=set)
    started: float = field(default_factory=lambda: now())

    def __post_init__(self) -> None:
        """Lays out what `check` has to compare, so that it is quick where there are no limits."""
        bounds = ((key, getattr(self.limits, key)) for key in _MEASURES)
        own = [(f"{self.name}.{key}", self, _MEASURES[key], bound) for key, bound in bounds if bound is not None]
        self._bounds: list[_Bound] = own + (self.parent._bounds if self.parent else [])
        ends = [self.parent.deadline] if self.parent and self.parent.deadline else []
        if self.limits.seconds is not None:
            ends.append((self.started + self.limits.seconds, f"{self.name}.seconds"))
        # The first end of its time, with the name of the limit that sets it.
        self.deadline: tuple[float, str] | None = min(ends, default=None)

    @property
    def wall_s(self) -> float:
        """Seconds since the scope was opened."""
        return now() - self.started

    def reached(self) -> str | None:
        """Returns the name of a limit, its own or one around it, that is used up, None where there is none."""
        for name, scope, measure, bound in self._bounds:
            if measure(scope) >= bound:
                return name
        return None

    def check(self) -> None:
        """Raises LimitReached where a limit is used up, and notes which."""
        name = self.reached() if self._bounds else None
        if name is not None:
            self.note(name)
            raise LimitReached(name)

    def note(self, name: str) -> None:
        """Notes, here and in the scopes around, that a limit was run into."""
        scope: Scope | None = self
        while scope is not None:
            scope.hit.add(name)
            scope = scope.parent


_Bound = tuple[str, Scope, Callable[[Scope], float], float]


def _of_both(amount: str) -> Callable[[Scope], float]:
    amount_of = attrgetter(amount)
    return lambda scope: float(amount_of(scope.usage["policy"]) + amount_of(scope.usage["verifier"]))


_MEASURES: dict[str, Callable[[Scope], float]] = {
    "tokens": _of_both("completion_tokens"),
    "policy_tokens": lambda scope: scope.usage["policy"].completion_tokens,
    "verifier_tokens": lambda scope: scope.usage["verifier"].completion_tokens,
    "calls": _of_both("calls"),
    "code_executions": _of_both("code_executions"),
    "flops": _of_both("flops"),
    "dollars": _of_both("dollars"),
    "seconds": lambda scope: scope.wall_s,
}

_nowhere = Scope(started=0.0)  # stands in where no scope is open, and is never charged
_current: ContextVar[Scope | None] = ContextVar("scope", default=None)


def now() -> float:
    """Returns the time in seconds: the running event loop's, which may be virtual, else the machine's."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


@contextmanager
def scope(name: str = "", limits: Limits | None = None, order: int | None = None) -> Iterator[Scope]:
    """Opens a scope inside the current one, whose order it has unless it is given one."""
    outer = _current.get()
    if order is None:
        order = outer.order if outer else 0
    inner = Scope(outer, name, limits or Limits(), order)
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)


def current() -> Scope:
    """Returns the scope that the caller runs in; an empty one where none is open."""
    return _current.get() or _nowhere


def charge(role: Role, usage: Usage) -> None:
    """Adds `usage` to the current scope and to those around it; without a scope it is dropped."""
    inner = _current.get()
    while inner is not None:
        inner.usage[role].add(usage)
        inner = inner.parent


async def in_time(items: AsyncIterator[T], inside: Scope) -> AsyncIterator[T]:
    """Yields the items until the scope's time is up.

    Raises:
        LimitReached: It was up before the items ended; what was under way is cancelled.
    """
    end, name = inside.deadline or (None, "")
    while True:
        try:
            async with asyncio.timeout_at(end):
                item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            inside.note(name)
            raise LimitReached(name) from None
        yield item
