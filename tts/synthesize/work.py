"""The work on one rationale: written, checked for loops, recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tts.budget import Budget, LimitReached, Role, current
from tts.config.build import Config, build
from tts.core.json import JsonObject
from tts.core.rationale import Rationale, Writer
from tts.core.settings import inside
from tts.engines.base import report_of
from tts.engines.metered import MeteredEngine
from tts.runtime.contracts import WRITER
from tts.runtime.executor import BaseWork
from tts.runtime.parts import bank_of, build_role, check_engines, engines_of, problems_in_flight, start_parts
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox
from tts.synthesize.items import Item
from tts.synthesize.record import RationaleRow, record
from tts.synthesize.repetition import repetition

_ROLES: tuple[Role, ...] = ("writer",)


@dataclass(frozen=True)
class SynthesisWork(BaseWork):
    """Has rationales written.

    Attributes:
        writer: The writer.
        most_repetition: The highest repetition of an assistant's turn that is no loop.
        sandbox: Runs code.
        budget: The limits of each rationale and of the run.
        engines: The engines by place.
        in_flight: Number of rationales in progress concurrently.
        resources: The resources that it was composed with.
    """

    writer: Writer
    most_repetition: float
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]
    in_flight: int
    resources: Resources

    async def start(self) -> JsonObject:
        """Starts the sandbox if it is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """
        sandbox = self.sandbox if self.writer.runs_code else None
        await start_parts(self.resources, self.engines, sandbox, self.budget, self.check)
        return {"engines": {place: report_of(engine) for place, engine in self.engines.items()}}

    async def do(self, item: Item) -> RationaleRow:
        """Has one rationale written; its record has no key yet.

        Raises:
            ProblemError: The writer failed.
        """
        try:
            rationale = self._checked(await self.writer.write(item.labelled.problem, item.steps, item.sample))
        except LimitReached:
            rationale = Rationale((), dropped="limit")
        return record(item, rationale, current(), "")

    def check(self) -> None:
        """Raises UserError if the writer cannot work with its engine."""
        with inside("writer"):
            self.writer.check()

    def _checked(self, rationale: Rationale) -> Rationale:
        """Returns a rationale, dropped if it loops."""
        turns = (message["content"] for message in rationale.messages if message["role"] == "assistant")
        loops = any(repetition(turn) > self.most_repetition for turn in turns)
        # Said of those as well that are of no use for what follows from it.
        return replace(rationale, dropped="loop") if loops else rationale


def compose_synthesis_work(config: Config, resources: Resources) -> SynthesisWork:
    """Creates and checks what writes; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        resources: Creates engines, sandbox and bank.

    Raises:
        UserError: The configuration cannot work.
    """
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources)
    work = SynthesisWork(
        writer=WRITER.checked(build_role(config, "writer", engines, sandbox)),
        most_repetition=config["most_repetition"],
        sandbox=sandbox,
        budget=build(config["budget"], "budget"),
        engines=engines,
        in_flight=problems_in_flight(config, engines),
        resources=resources,
    )
    check_engines(config, engines, work.budget)
    return work
