"""Rationales about labelled solutions: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tts.config.build import Config, build
from tts.core.annotations import fit
from tts.core.errors import ProblemError, UserError
from tts.core.json import JsonObject
from tts.core.rationale import Writer
from tts.core.settings import PositiveInt, PositiveProbability, inside
from tts.engines.metered import MeteredEngine
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources
from tts.synthesize.items import Item, items
from tts.synthesize.record import Resume
from tts.synthesize.runner import Synthesis
from tts.synthesize.work import SynthesisWork, compose_synthesis_work
from tts.tasks.labelled import LabelledSolution, LabelledSource, labelled_source

_GROUPS = ("task", "writer", "sandbox", "budget")


@dataclass(frozen=True)
class SynthesisJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the solutions.
        solutions: The solutions.
        items: What is written: `samples` rationales about each solution, or about each of its steps.
        work: What writes them.
    """

    config: Config
    identity: str
    task: LabelledSource
    solutions: Sequence[LabelledSolution]
    items: Sequence[Item]
    work: SynthesisWork

    @property
    def writer(self) -> Writer:
        """The writer."""
        return self.work.writer

    @property
    def engines(self) -> Mapping[str, MeteredEngine]:
        """The engines by place."""
        return self.work.engines

    @property
    def title(self) -> str:
        """A one-line description."""
        return f"{self.task.name}: {type(self.writer).__name__}"

    @property
    def token_bound(self) -> int | None:
        """The maximum completion tokens of all rationales, None if there is no bound."""
        bounds = [self.writer.token_bound(len(item.steps)) for item in self.items]
        known = [bound for bound in bounds if bound is not None]
        return sum(known) if len(known) == len(bounds) else None

    def preview(self) -> str:
        """Returns the prompt of the first request.

        Raises:
            UserError: The writer cannot render it as its model expects.
        """
        first = self.items[0]
        try:
            return self.writer.preview(first.labelled.problem, first.steps)
        except ProblemError as error:
            raise UserError(f"solution {first.labelled.problem.id}: {error}") from None

    async def run(self, resources: Resources, folder: Path) -> Synthesis:
        """Has all rationales without a record written; writes `rationales.jsonl` and `summary.json`.

        Returns:
            The ended run.

        Raises:
            UserError: The folder holds another run's rationales, or a model, a server or the sandbox is not available.
            RunError: The writer does not follow its format, or something that all items need is gone.
        """
        extra: JsonObject = {"config_hash": self.identity, "seed": self.config["seed"]}
        copy = partial(compose_synthesis_work, self.config)
        try:
            async with resources.executor(self.config).at_work(self.work, copy, self.config) as work:
                synthesis = Synthesis(work, self.items, folder, self.work.budget)
                await synthesis.run(self.items, Resume(self.items, self.config), extra)
                return synthesis
        finally:
            await resources.flush()


def compose_synthesis(config: Config, identity: str, resources: Resources) -> SynthesisJob:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox and bank.

    Raises:
        UserError: The configuration cannot work.
    """
    check_groups(config, _GROUPS)
    fit(config["samples"], PositiveInt, "samples")
    fit(config["most_repetition"], PositiveProbability, "most_repetition")
    task = labelled_source(build(config["task"], "task"))
    resources.executor(config)
    work = compose_synthesis_work(config, resources)
    with inside("task"):
        task.check()
    solutions = list(task.solutions())
    written = list(items(solutions, work.writer.by_step, config["samples"]))
    work.check()
    return SynthesisJob(config, identity, task, solutions, written, work)
