"""Live events of a search, for listeners.

The listener is stored in the task context (`contextvars`), like scopes (`tts.budget`), so strategies need no argument
for it, and events of the tasks that they start are included. For each problem, whatever the engines' speed:

- A node is sampled before it is judged, and after its parent.
- A node is expanded once, before the first of its children is sampled.
- Spending is reported after the node that it was spent on, as totals, and only if they have changed.
- The choice comes last, and only if the search ended without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts.core.solution import Solution
from tts.core.verdict import Verdict

if TYPE_CHECKING:
    from tts.budget import Usage

NodePath = tuple[tuple[str, int], ...]
"""A node's place in its tree, independent of timing: kind and sample index of each node on its path below the root."""


@dataclass(frozen=True)
class Event:
    """An action of a search.

    Attributes:
        problem: The problem's id.
        at_s: Time in seconds since the start of the problem.
    """

    problem: str
    at_s: float


@dataclass(frozen=True)
class Sampled(Event):
    """The policy wrote a solution, or the next part of one.

    Attributes:
        node: The node's number in order of arrival; 0 is the problem itself.
        path: The node's place in the tree.
        parent: The number of its parent node.
        solution: The solution from its beginning.
        kind: Empty if it continues its parent, else `revision`, `critique`, `rollout` or the strategy's own word.
    """

    node: int
    path: NodePath
    parent: int
    solution: Solution
    kind: str


@dataclass(frozen=True)
class Judged(Event):
    """The verifier judged a node.

    Attributes:
        node: As in `Sampled`.
        path: As in `Sampled`.
        verdict: The verdict on the node's whole solution.
        score: The verdict as one number, None if there is no usable one.
    """

    node: int
    path: NodePath
    verdict: Verdict
    score: float | None


@dataclass(frozen=True)
class Expanded(Event):
    """A node gets its first child.

    Attributes:
        node: As in `Sampled`.
        path: As in `Sampled`.
    """

    node: int
    path: NodePath


@dataclass(frozen=True)
class Spent(Event):
    """The cost of the problem so far.

    Attributes:
        usage: By role; a copy that no longer changes.
    """

    usage: Mapping[str, Usage]


@dataclass(frozen=True)
class Progressed(Event):
    """A problem of a run has finished.

    Attributes:
        done: Number of finished problems.
        errors: Number of them that ended with an error.
        generated_tokens: Completion tokens that the run has sampled itself so far.
        headline: The main figure, in a few words.
    """

    done: int
    errors: int
    generated_tokens: int
    headline: str


@dataclass(frozen=True)
class Chosen(Event):
    """The search ended with a choice.

    Attributes:
        node: The chosen node as in `Sampled`, None if there is none to choose.
        path: Its place in the tree, empty if there is none.
        answer: Its answer, None if it has none.
    """

    node: int | None
    path: NodePath
    answer: str | None


Sink = Callable[[Event], object]
"""Receives events synchronously and in order; its exceptions end the search."""

_sink: ContextVar[Sink | None] = ContextVar("sink", default=None)


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Sends `sink` the events of the code that runs in this context.

    If nested, both sinks receive them, the inner first, just as enclosing scopes are charged too.
    """
    outer = _sink.get()

    def both(event: Event) -> None:
        sink(event)
        if outer is not None:
            outer(event)

    token = _sink.set(both if outer else sink)
    try:
        yield
    finally:
        _sink.reset(token)


def heard() -> bool:
    """Whether there is a listener."""
    return _sink.get() is not None


def emit(make: Callable[[], Event]) -> None:
    """Sends an event to the listener; the event is created only if there is one."""
    sink = _sink.get()
    if sink is not None:
        sink(make())
