"""The work on one labelled solution: judged, recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tts.budget import Budget, Role, current
from tts.config.build import Config, build
from tts.core.errors import UserError
from tts.core.json import JsonObject
from tts.core.settings import inside
from tts.core.verifier import Verifier
from tts.engines.base import report_of
from tts.engines.metered import MeteredEngine
from tts.judge.record import VerdictRow, record
from tts.judge.threshold import Threshold
from tts.runtime.choices import Choices
from tts.runtime.contracts import VERIFIER
from tts.runtime.executor import BaseWork
from tts.runtime.guards import CheckedVerifier
from tts.runtime.parts import bank_of, build_role, check_engines, engines_of, problems_in_flight, start_parts
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox
from tts.tasks.labelled import LabelledSolution

_ROLES: tuple[Role, ...] = ("verifier",)


@dataclass(frozen=True)
class JudgeWork(BaseWork):
    """Judges labelled solutions.

    Attributes:
        verifier: The verifier.
        threshold: The minimum score of a right step.
        sandbox: Runs code.
        budget: The limits of each solution and of the run.
        engines: The engines by owner.
        in_flight: Number of solutions judged concurrently.
        resources: The resources that it was composed with.
    """

    verifier: Verifier
    threshold: Threshold
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]
    in_flight: int
    resources: Resources

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, if the verifier runs code in it."""
        return self.sandbox if self.verifier.traits.runs_code else None

    async def start(self) -> JsonObject:
        """Starts the sandbox if it is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """
        await start_parts(self.resources, self.engines, self.used_sandbox, self.budget, self.check)
        return {
            "sandbox": [] if self.used_sandbox is None else list(self.used_sandbox.layers),
            "engines": {place: report_of(engine) for place, engine in self.engines.items()},
        }

    async def do(self, item: LabelledSolution) -> VerdictRow:
        """Judges one solution; its record has no key yet.

        Raises:
            ProblemError: The verifier failed.
        """
        started = time.time()
        verdict = await self.threshold.ask(CheckedVerifier(self.verifier), item.problem, item.solution)
        return record(item, verdict, current(), "", started)

    def check(self) -> None:
        """Raises UserError if the verifier cannot work with its engine."""
        with inside("verifier"):
            self.verifier.check()


def compose_judge_work(config: Config, resources: Resources, own: Choices | None = None) -> JudgeWork:
    """Creates and checks what judges; loads no weights and starts nothing.

    Args:
        config: The resolved configuration; without a verifier if the caller has one.
        resources: Creates engines, sandbox and bank.
        own: Objects that replace the configuration's: a verifier, engines.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources, own.engines)
    threshold: Threshold = build(config["threshold"], "threshold", role=Threshold)
    verifier = own.verifier or VERIFIER.checked(build_role(config, "verifier", engines, sandbox))
    _check_verifier(verifier, threshold)
    work = JudgeWork(
        verifier=verifier,
        threshold=threshold,
        sandbox=sandbox,
        budget=build(config["budget"], "budget", role=Budget),
        engines=engines,
        in_flight=problems_in_flight(config, engines),
        resources=resources,
    )
    check_engines(config, engines, work.budget)
    return work


def _check_verifier(verifier: Verifier, threshold: Threshold) -> None:
    """Raises UserError if a verifier cannot judge labelled steps."""
    name = type(verifier).__name__
    if verifier.traits.reads_answers:
        raise UserError(
            f"verifier ({name}) reads the reference answers, and labelled solutions have none; choose another verifier, or "
            "use it with python -m tts"
        )
    if threshold.stops is not None and "prefixes" in verifier.traits.lacks:
        raise UserError(
            f"threshold.rule={threshold.rule} judges step by step, which this verifier ({name}) cannot do; "
            "choose threshold.rule=fixed"
        )
