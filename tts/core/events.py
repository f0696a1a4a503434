"""What a search does while it does it, for whoever listens.

The listener travels with the task context (`contextvars`), as scopes do (`tts.budget`), so strategies need no argument for
it, and what they start in tasks of their own is heard too. Of one problem, and whatever the engines' speed:

- A node is sampled before it is judged, and after its parent.
- A node is expanded once, before the first of its children is sampled.
- What was spent is told behind the node that it was spent on, as totals, and only where they have changed.
- The choice comes last, and only where the search ended without an error.
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
"""What places a node in its tree, whenever it arrives: kind and sample index of each node from below the root to it."""


@dataclass(frozen=True)
class Event:
    """Something that a search did.

    Attributes:
        problem: The problem's id.
        at_s: When, in seconds after the problem was begun.
    """

    problem: str
    at_s: float


@dataclass(frozen=True)
class Sampled(Event):
    """The policy wrote a solution, or a further part of one.

    Attributes:
        node: Its number in the order of arrival; 0 is the problem itself.
        path: Its place in the tree.
        parent: The number of the node that it hangs below.
        solution: The solution from its beginning.
        kind: Empty where it continues its parent, else `revision`, `critique`, `rollout` or a word of the strategy's own.
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
        score: It as one number, None where there is no usable one.
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
    """What the problem has cost so far.

    Attributes:
        usage: By role; a copy that does not change any more.
    """

    usage: Mapping[str, Usage]


@dataclass(frozen=True)
class Progressed(Event):
    """A problem of a run has its record.

    Attributes:
        done: How many have.
        errors: How many of them ended with an error.
        generated_tokens: Completion tokens that the run sampled itself so far.
        headline: The figure to watch, in a few words.
    """

    done: int
    errors: int
    generated_tokens: int
    headline: str


@dataclass(frozen=True)
class Chosen(Event):
    """The search ended with a choice.

    Attributes:
        node: The chosen node as in `Sampled`, None where there is none to choose.
        path: Its place in the tree, empty where there is none.
        answer: Its answer, None where it has none.
    """

    node: int | None
    path: NodePath
    answer: str | None


Sink = Callable[[Event], object]
"""Takes events at once and in order; what it raises ends the search."""

_sink: ContextVar[Sink | None] = ContextVar("sink", default=None)


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Gives `sink` the events of what runs in this context.

    Inside another one both hear them, the inner first, just as scopes are charged together with those around them.
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
    """Whether anybody listens."""
    return _sink.get() is not None


def emit(make: Callable[[], Event]) -> None:
    """Gives an event to whoever listens; it is made only where somebody does."""
    sink = _sink.get()
    if sink is not None:
        sink(make())
