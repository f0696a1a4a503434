"""Scopes: meters that costs are charged to and limits are checked against."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

from tts.budget.limits import Limits
from tts.budget.usage import GRADER, POLICY, ROLES, VERIFIER, Role, Usage

T = TypeVar("T")


class LimitReached(Exception):  # noqa: N818  not a fault
    """A limit is used up; the search ends with what it has. Holds the limit's name."""


@dataclass
class Scope:
    """The meter of one piece of work (a problem, a run) and of everything inside it.

    Attributes:
        parent: The enclosing scope.
        name: The prefix of its limits' names.
        limits: Its limits.
        order: Its priority among those who compete for an engine: lower ones go first.
        about: What it is about; requests about the same thing share prefixes, so that one server should answer them.
        usage: Its usage so far, by role; the roles of every search come first.
        hit: The limits, its own and those of enclosing scopes, that were reached inside it.
        started: Start time of the event loop's clock.
        expired: Whether its limit in seconds counts as used up.
    """

    parent: Scope | None = None
    name: str = ""
    limits: Limits = field(default_factory=Limits)
    order: int = 0
    about: str = ""
    usage: dict[Role, Usage] = field(default_factory=lambda: {role: Usage() for role in ROLES})
    hit: set[str] = field(default_factory=set)
    started: float = field(default_factory=lambda: now())
    expired: bool = False

    def __post_init__(self) -> None:
        """Prepares the comparisons of `check`, so that it is fast without limits."""
        self._bounds: list[Bound] = [*self._own_bounds(), *(self.parent._bounds if self.parent else ())]
        self._renew: Callable[[], Awaitable[None]] | None = self.parent._renew if self.parent else None
        self._waits: set[asyncio.Timeout] = set()
        self._timed: list[Scope] = (
            list(self.parent._timed) if self.parent else []
        )  # it and those around it with a deadline
        ends = [self.parent.deadline] if self.parent and self.parent.deadline else []
        if self.limits.seconds is not None:
            ends.append((self.started + self.limits.seconds, f"{self.name}.seconds"))
            self._timed.append(self)
        # Its earliest deadline, with the name of the limit that sets it.
        self.deadline: tuple[float, str] | None = min(ends, default=None)

    def _own_bounds(self) -> Iterator[Bound]:
        """Yields the comparisons of its own limits."""
        for key, measure in MEASURES.items():
            bound = getattr(self.limits, key)
            if bound is not None:
                yield f"{self.name}.{key}", self, measure, bound

    @property
    def wall_s(self) -> float:
        """Seconds since the scope was opened."""
        return now() - self.started

    def add(self, role: Role, amounts: Mapping[str, float]) -> None:
        """Adds to the usage of this scope only; see `Usage.add`."""
        spent = self.usage.get(role)
        if spent is None:
            spent = self.usage[role] = Usage()
        spent.add(amounts)

    def reached(self) -> str | None:
        """Returns the name of a used-up limit, its own or an enclosing scope's, None if there is none."""
        for name, scope, measure, bound in self._bounds:
            if measure(scope) >= bound:
                return name
        return None

    def check(self) -> None:
        """Raises LimitReached if a limit is used up, and notes which."""
        name = self.reached() if self._bounds else None
        if name is not None:
            self.note(name)
            raise LimitReached(name)

    async def admit(self) -> None:
        """As `check`, after what it shares with other processes was renewed if it is used up here (`SharedScope`)."""
        if self._renew is not None:
            await self._renew()
        self.check()

    def use_up(self, key: str) -> None:
        """Regards one of its limits as used up: others are spending what is left."""
        self._bounds.insert(0, (f"{self.name}.{key}", self, lambda _: 1.0, 0.0))

    def expire(self) -> None:
        """Uses up the limit in seconds at once: no further request is sent, and those in flight are finished and charged."""
        self.expired = True

    def stop(self) -> None:
        """As `expire`, and cancels what is in flight (`in_time`)."""
        self.expire()
        for waiting in self._waits:
            if not waiting.expired():
                waiting.reschedule(0.0)

    @contextmanager
    def waits(self, timeout: asyncio.Timeout) -> Iterator[None]:
        """Lets `stop`, here and in the enclosing scopes, end a wait."""
        for scope in self._timed:
            scope._waits.add(timeout)
        try:
            yield
        finally:
            for scope in self._timed:
                scope._waits.discard(timeout)

    def note(self, name: str) -> None:
        """Notes, here and in the enclosing scopes, that a limit was reached."""
        scope: Scope | None = self
        while scope is not None:
            scope.hit.add(name)
            scope = scope.parent


Bound = tuple[str, Scope, Callable[[Scope], float], float]
"""A limit's name, the scope that it limits, what it measures there, and the amount that uses it up."""


def _of_all(amount: str) -> Callable[[Scope], float]:
    amount_of = attrgetter(amount)

    def spent(scope: Scope) -> float:
        total = 0.0
        for role, usage in scope.usage.items():  # not a generator, for speed: called for every request
            if role != GRADER:
                total += amount_of(usage)
        return total

    return spent


MEASURES: dict[str, Callable[[Scope], float]] = {
    "tokens": _of_all("completion_tokens"),
    "policy_tokens": lambda scope: scope.usage[POLICY].completion_tokens,
    "verifier_tokens": lambda scope: scope.usage[VERIFIER].completion_tokens,
    "calls": _of_all("calls"),
    "code_executions": _of_all("code_executions"),
    "flops": _of_all("flops"),
    "dollars": _of_all("dollars"),
    "seconds": lambda scope: math.inf if scope.expired else scope.wall_s,
}
"""What each limit measures."""

_nowhere = Scope(started=0.0)  # used when no scope is open; never charged
_current: ContextVar[Scope | None] = ContextVar("scope", default=None)


def now() -> float:
    """Returns the time in seconds: the running event loop's, which may be virtual, else the machine's."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


@contextmanager
def scope(
    name: str = "", limits: Limits | None = None, order: int | None = None, about: str | None = None
) -> Iterator[Scope]:
    """Opens a scope inside the current one, inheriting its order, and what it is about, unless they are given."""
    outer = _current.get()
    if order is None:
        order = outer.order if outer else 0
    if about is None:
        about = outer.about if outer else ""
    inner = Scope(outer, name, limits or Limits(), order, about)
    with within(inner):
        yield inner


@contextmanager
def within(inner: Scope) -> Iterator[None]:
    """Makes an open scope the current one."""
    token = _current.set(inner)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Scope:
    """Returns the scope that the caller runs in; an empty one if none is open."""
    return _current.get() or _nowhere


def charge(role: Role, usage: Usage) -> None:
    """Adds `usage` to the current scope and all enclosing ones; without a scope it is dropped."""
    inner, amounts = _current.get(), usage.nonzero()
    while inner is not None:
        inner.add(role, amounts)
        inner = inner.parent


async def admit(role: Role) -> None:
    """Raises LimitReached if a limit of the current scope that applies to `role` is used up; see `Scope.admit`."""
    if role != GRADER:
        await current().admit()


async def in_time(items: AsyncIterator[T], inside: Scope) -> AsyncIterator[T]:
    """Yields the items until the scope's time is up.

    Raises:
        LimitReached: It was up before the items ended; work in progress is cancelled.
    """
    end, name = inside.deadline or (None, "")
    while True:
        try:
            async with asyncio.timeout_at(end) as timeout:
                with inside.waits(timeout):
                    item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            name = next((f"{scope.name}.seconds" for scope in inside._timed if scope.expired), name)
            inside.note(name)
            raise LimitReached(name) from None
        yield item
