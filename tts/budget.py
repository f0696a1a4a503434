"""Metering: what a search costs, charged where it arises and added up per scope.

A scope travels with the task context (`contextvars`), so strategies, policies and verifiers need no accounting: engines'
clients and code execution charge the scope that they run in, and every charge also counts in the scopes around it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Literal

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
    generated_tokens: int = 0
    verifications: int = 0
    code_executions: int = 0
    seconds: float = 0.0

    def add(self, other: Usage) -> None:
        """Adds another usage to this one."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass
class Scope:
    """The meter of one piece of work (a problem, a run) and of everything inside it."""

    parent: Scope | None = None
    usage: dict[Role, Usage] = field(default_factory=lambda: {"policy": Usage(), "verifier": Usage()})
    started: float = field(default_factory=time.monotonic)

    @property
    def wall_s(self) -> float:
        """Seconds since the scope was opened."""
        return time.monotonic() - self.started


_current: ContextVar[Scope | None] = ContextVar("scope", default=None)


@contextmanager
def scope() -> Iterator[Scope]:
    """Opens a scope inside the current one."""
    inner = Scope(parent=_current.get())
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)


def charge(role: Role, usage: Usage) -> None:
    """Adds `usage` to the current scope and to those around it; without a scope it is dropped."""
    inner = _current.get()
    while inner is not None:
        inner.usage[role].add(usage)
        inner = inner.parent
