"""A search over the problems of a task: composed, checked, run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tts.config.build import Config, build
from tts.core import Problem
from tts.core.json import JsonObject
from tts.core.settings import inside
from tts.core.task import Task
from tts.engines.base import report_of
from tts.evaluation.runner import Outcome, Runner
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
        try:
            await made.start(resources)
            sandbox = made.used_sandbox
            extra: JsonObject = {
                "config_hash": made.identity,
                "seed": made.seed,
                "simulated": list(made.simulated),
                "sandbox": [] if sandbox is None else list(sandbox.layers),
                "reads_answers": made.reads_answers,
                "guided": made.guided,
                "engines": {place: report_of(engine) for place, engine in made.used_engines.items()},
            }
            runner = Runner(made.search, made.grader, folder, made.in_flight, made.budget)
            return await runner.run(_Problems(self.task), extra, resume)
        finally:
            await resources.flush()


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
    search = compose(config, identity, resources, own)
    check_grading(search.grader, task)
    if search.reads_answers:
        check_answers(search.verifier, task)
    return SearchJob(task, search)
