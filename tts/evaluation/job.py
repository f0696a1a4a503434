"""A search over the problems of a task: composed, checked, run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tts.config.build import Config, build
from tts.core import Problem
from tts.core.json import JsonObject
from tts.core.settings import inside
from tts.core.task import Task
from tts.evaluation.runner import Outcome, Runner
from tts.evaluation.solving import ComposedSolving, compose_solving
from tts.runtime.capabilities import check_answers, check_grading
from tts.runtime.choices import Choices
from tts.runtime.composition import GROUPS, Composition, compose
from tts.runtime.contracts import TASK
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources


@dataclass(frozen=True)
class SearchJob:
    """A task and the search that is run over it.

    Attributes:
        task: The source of the problems.
        search: The composed search.
    """

    task: Task
    search: Composition

    @property
    def title(self) -> str:
        """A one-line description."""
        made = self.search
        votes = f", K = {made.verifier.votes}" if made.strategy.verifies else ""
        return f"{self.task.name}: {type(made.strategy).__name__}, N = {made.strategy.samples}{votes}"

    async def run(self, resources: Resources, folder: Path | None, resume: bool = False) -> Outcome:
        """Searches all problems of the task.

        Args:
            resources: The resources that the search was composed with.
            folder: The run directory; None keeps records in memory, and no trees.
            resume: Whether existing records are kept.

        Raises:
            UserError: A model, a server or the sandbox is not available.
            RunError: Something that all problems need is gone.
        """
        made = self.search
        work = ComposedSolving(made, resources, trees=folder is not None)
        copy = None if made.has_objects else partial(compose_solving, made.config, made.identity, folder is not None)
        try:
            async with resources.executor(made.config).at_work(work, copy, made.config) as spread:
                extra = described(made, await spread.start())
                return await Runner(spread, folder, made.budget).run(_Problems(self.task), extra, resume)
        finally:
            await resources.flush()


def described(made: Composition, found: JsonObject) -> JsonObject:
    """Returns what `summary.json` says of a search.

    Args:
        made: The search.
        found: What is known once it is started (`tts.evaluation.solving.started`).
    """
    return {
        "config_hash": made.identity,
        "seed": made.seed,
        "simulated": found["simulated"],
        "sandbox": found["sandbox"],
        "reads_answers": made.reads_answers,
        "guided": made.guided,
        "engines": found["engines"],
    }


class _Problems:
    """The problems of a task; can be iterated more than once."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __iter__(self) -> Iterator[Problem]:
        return self._task.problems()


def compose_job(config: Config, identity: str, resources: Resources, own: Choices | None = None) -> SearchJob:
    """Creates and checks everything that a run needs; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox, grader and bank.
        own: Objects that replace the configuration's.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    check_groups(config, [group for group in ("task", *GROUPS) if group not in own.own()])
    task = own.task or TASK.checked(build(config["task"], "task", role=Task))
    with inside("task"):
        task.check()
    resources.executor(config)
    search = compose(config, identity, resources, own)
    check_grading(search.grader, task)
    if search.reads_answers:
        check_answers(search.verifier, task)
    return SearchJob(task, search)
