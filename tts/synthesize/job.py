"""Rationales about labelled solutions: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Role
from tts.config.build import Config, build
from tts.core.annotations import fit
from tts.core.errors import ProblemError, UserError
from tts.core.json import JsonObject
from tts.core.rationale import Rationale, Writer
from tts.core.settings import PositiveInt, PositiveProbability, inside
from tts.engines.base import asks_server, report_of
from tts.engines.metered import MeteredEngine
from tts.runtime.contracts import WRITER
from tts.runtime.parts import (
    bank_of,
    build_role,
    check_engines,
    check_groups,
    check_sizes,
    engines_of,
    problems_in_flight,
)
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox
from tts.synthesize.items import Item, items
from tts.synthesize.record import Resume
from tts.synthesize.runner import Runner, Synthesis
from tts.tasks.labelled import LabelledSolution, LabelledSource, labelled_source

_GROUPS = ("task", "writer", "sandbox", "budget")
_ROLES: tuple[Role, ...] = ("writer",)


@dataclass(frozen=True)
class SynthesisJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the solutions.
        solutions: The solutions.
        items: What is written: `samples` rationales about each solution, or about each of its steps.
        writer: The writer.
        most_repetition: The highest repetition of an assistant's turn that is no loop.
        sandbox: Runs code.
        budget: The limits of each rationale and of the run.
        engines: The engines by place.
    """

    config: Config
    identity: str
    task: LabelledSource
    solutions: Sequence[LabelledSolution]
    items: Sequence[Item]
    writer: Writer
    most_repetition: float
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, if the writer runs code in it."""
        return self.sandbox if self.writer.runs_code else None

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

        Raises:
            UserError: The folder holds another run's rationales, or a model, a server or the sandbox is not available.
            RunError: The writer does not follow its format, or something that all items need is gone.
        """
        found: JsonObject = {}

        def extra() -> JsonObject:
            return {"config_hash": self.identity, "seed": self.config["seed"], **found}

        async def start() -> None:
            await resources.start(self.engines, self.used_sandbox)
            check_sizes(self.engines, self.budget)
            found["engines"] = {place: report_of(engine) for place, engine in self.engines.items()}
            if any(asks_server(engine) for engine in self.engines.values()):
                # What a server can do is known only now that it has been asked.
                self.check()

        async def write(item: Item) -> Rationale:
            return await self.writer.write(item.labelled.problem, item.steps, item.sample)

        in_flight = problems_in_flight(self.config, self.engines)
        runner = Runner(write, folder, in_flight, self.budget, self.most_repetition)
        try:
            return await runner.run(self.items, start, Resume(self.items, self.config), extra)
        finally:
            await resources.flush()

    def check(self) -> None:
        """Raises UserError if the writer cannot work with its engine."""
        with inside("writer"):
            self.writer.check()


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
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources)
    task = labelled_source(build(config["task"], "task"))
    writer: Writer = WRITER.checked(build_role(config, "writer", engines, sandbox))
    with inside("task"):
        task.check()
    solutions = list(task.solutions())
    job = SynthesisJob(
        config=config,
        identity=identity,
        task=task,
        solutions=solutions,
        items=list(items(solutions, writer.by_step, config["samples"])),
        writer=writer,
        most_repetition=config["most_repetition"],
        sandbox=sandbox,
        budget=build(config["budget"], "budget"),
        engines=engines,
    )
    check_engines(config, engines, job.budget)
    job.check()
    return job
