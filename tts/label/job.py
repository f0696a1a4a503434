"""A policy's solutions, labelled: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import cast

from tts.config.build import Config, build
from tts.core import Problem
from tts.core.annotations import fit
from tts.core.json import JsonObject
from tts.core.settings import inside
from tts.core.task import Task
from tts.engines.metered import MeteredEngine
from tts.label.checks import check_problems
from tts.label.record import Resume
from tts.label.runner import Labelling
from tts.label.work import LabelWork, compose_label_work, with_completer
from tts.runtime.contracts import TASK
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources

_GROUPS = ("task", "policy", "completer", "rule", "sampling", "completions", "grading", "sandbox", "budget")


@dataclass(frozen=True)
class LabelJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the problems.
        problems: The problems.
        work: What labels them.
    """

    config: Config
    identity: str
    task: Task
    problems: Sequence[Problem]
    work: LabelWork

    @property
    def engines(self) -> Mapping[str, MeteredEngine]:
        """The engines in use, by place (`policy`, `completer`, `verifier`)."""
        return self.work.engines

    @property
    def title(self) -> str:
        """A one-line description."""
        parts = [self.task.name, type(self.work.rule).__name__]
        if self.work.completions.most:
            parts.append(type(self.work.completions).__name__)
        return f"{parts[0]}: {', '.join(parts[1:])}"

    @cached_property
    def most_samples(self) -> Sequence[int]:
        """The most samples of each problem."""
        holds, most = self.work.policy.traits.holds, self.work.sampling.most
        return [min(most, holds(problem)) if holds else most for problem in self.problems]

    @property
    def most_solutions(self) -> int:
        """The most solutions that are labelled."""
        return sum(min(self.work.sampling.kept, most) for most in self.most_samples)

    @cached_property
    def resume(self) -> Resume:
        """Which records of an earlier run are valid."""
        return Resume(self.problems, self.config)

    async def run(self, resources: Resources, folder: Path) -> Labelling:
        """Labels all problems without a record; writes `results.jsonl`, `labels.jsonl` and `summary.json`.

        Models are loaded only if a problem is left: another rule over the same records costs nothing.

        Returns:
            The ended run.

        Raises:
            UserError: The folder holds another run's results, or a model, a server or the sandbox is not available.
            RunError: Something that all problems need is gone.
        """
        extra: JsonObject = {
            "rule": self.config["rule"],
            "config_hash": self.identity,
            "seed": self.config["seed"],
        }
        copy = partial(compose_label_work, self.config)
        try:
            async with resources.executor(self.config).at_work(self.work, copy, self.config) as work:
                labelling = Labelling(work, self.work.rule, folder, self.work.budget)
                await labelling.run(self.problems, self.resume, extra)
                return labelling
        finally:
            await resources.flush()


def compose_label(config: Config, identity: str, resources: Resources) -> LabelJob:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox, grader and bank.

    Raises:
        UserError: The configuration cannot work.
    """
    verifier = cast(Config, fit(config.get("verifier") or {}, Mapping[str, object], "verifier"))
    if not verifier.get("_target_"):
        config = {**config, "verifier": None}
    check_groups(config, _GROUPS)
    config = with_completer(config)
    task: Task = TASK.checked(build(config["task"], "task", role=Task))
    resources.executor(config)
    work = compose_label_work(config, resources)
    with inside("task"):
        task.check()
    job = LabelJob(config, identity, task, list(task.problems()), work)
    check_problems(job.problems, work.policy, work.grader, work.sampling, work.completions)
    return job
