"""The work on one problem: searched, graded, recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tts.budget import current
from tts.config.build import Config
from tts.core import Problem, SearchResult
from tts.core.grader import Grader
from tts.core.json import JsonObject
from tts.core.secrets import Secrets
from tts.core.tree import tree_text
from tts.engines.base import report_of
from tts.evaluation.doubts import Doubts
from tts.evaluation.record import Record, solved
from tts.runtime.composition import Composition, compose
from tts.runtime.executor import BaseWork
from tts.runtime.resources import Resources

Search = Callable[[Problem], Awaitable[SearchResult]]


@dataclass(frozen=True)
class Solved:
    """A problem that was searched.

    Attributes:
        record: Its record.
        tree: The text of its tree's file; None if trees are not kept.
    """

    record: Record
    tree: str | None


class Solving(BaseWork):
    """Searches problems.

    Args:
        search: Searches one problem.
        grader: Grades the answers.
        in_flight: Number of problems searched concurrently.
        trees: Whether to keep trees.
    """

    def __init__(self, search: Search, grader: Grader, in_flight: int, trees: bool = True) -> None:
        self._search = search
        self._grader = grader
        self._in_flight = in_flight
        self._trees = trees
        self._doubts = Doubts(grader)
        self._secrets = Secrets()

    @property
    def in_flight(self) -> int:
        """Number of problems in progress at once."""
        return self._in_flight

    async def start(self) -> JsonObject:
        """Does nothing."""
        return {}

    async def do(self, problem: Problem) -> Solved:
        """Searches one problem.

        Raises:
            ProblemError: The search failed.
        """
        result = await self._search(problem)
        tree = tree_text(result.tree, self._secrets) if self._trees else None
        return Solved(await solved(problem, result, current(), self._grader), tree)

    def counts(self) -> Mapping[str, int]:
        """Returns what grading could not say."""
        return self._doubts.counts()


class ComposedSolving(Solving):
    """Searches problems as a configuration describes.

    Args:
        made: The composed search.
        resources: The resources that it was composed with.
        trees: Whether to keep trees.
    """

    def __init__(self, made: Composition, resources: Resources, trees: bool) -> None:
        super().__init__(made.search, made.grader, 1, trees)
        self._made = made
        self._resources = resources

    @property
    def in_flight(self) -> int:
        """Number of problems in progress at once."""
        return self._made.in_flight

    async def start(self) -> JsonObject:
        """Starts the sandbox if it is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """
        await self._made.start(self._resources)
        return started(self._made)


def started(made: Composition) -> JsonObject:
    """Returns what is known of a search once its sandbox and its models are started."""
    sandbox = made.used_sandbox
    return {
        "simulated": list(made.simulated),
        "sandbox": [] if sandbox is None else list(sandbox.layers),
        "engines": {place: report_of(engine) for place, engine in made.used_engines.items()},
    }


def compose_solving(config: Config, identity: str, trees: bool, resources: Resources) -> ComposedSolving:
    """Composes the search of a run, without its task."""
    return ComposedSolving(compose(config, identity, resources), resources, trees)
