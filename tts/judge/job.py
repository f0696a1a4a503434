"""A verifier over labelled solutions: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.budget import Budget, Role
from tts.config.build import Config, build
from tts.core import Verdict
from tts.core.errors import ProblemError, UserError
from tts.core.json import JsonObject, Summary
from tts.core.settings import inside
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.base import asks_server, report_of
from tts.engines.metered import MeteredEngine
from tts.judge.judged import Judged
from tts.judge.judging import Judging
from tts.judge.record import verdicts_hash
from tts.judge.runner import Judge
from tts.judge.threshold import Threshold
from tts.runtime.choices import Choices
from tts.runtime.contracts import VERIFIER
from tts.runtime.guards import CheckedVerifier
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
from tts.runtime.simulations import simulations
from tts.sandbox.base import Sandbox
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution, LabelledSource, labelled_source

_GROUPS = ("task", "verifier", "sandbox", "budget", "threshold", "bootstrap")
_ROLES: tuple[Role, ...] = ("verifier",)


@dataclass(frozen=True)
class JudgeJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the solutions.
        items: The solutions.
        verifier: The verifier.
        threshold: The minimum score of a right step.
        bootstrap: Computes confidence intervals.
        sandbox: Runs code.
        budget: The limits of each solution and of the run.
        engines: The engines by owner.
    """

    config: Config
    identity: str
    task: LabelledSource
    items: Sequence[LabelledSolution]
    verifier: Verifier
    threshold: Threshold
    bootstrap: Bootstrap
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, if the verifier runs code in it."""
        return self.sandbox if self.verifier.traits.runs_code else None

    @property
    def title(self) -> str:
        """A one-line description."""
        name = type(self.verifier).__name__
        return f"{self.task.name}: {name}, K = {self.verifier.votes}, {self.threshold.rule} threshold"

    def previews(self) -> list[tuple[str, str]]:
        """Returns for the first solution of each subset its name and the verifier's model input.

        Raises:
            UserError: The verifier cannot render it as its model expects.
        """
        shown = []
        for item in reversed({item.subset: item for item in reversed(self.items)}.values()):
            try:
                text = self.verifier.preview(item.problem, item.solution)
            except ProblemError as error:
                raise UserError(f"solution {item.problem.id}: {error}") from None
            if text is not None:
                shown.append((item.problem.id, text))
        return shown

    async def run(self, resources: Resources, folder: Path) -> tuple[Judging, Summary]:
        """Judges all solutions without a record; writes `results.jsonl` and `summary.json`.

        Models are loaded and the sandbox is started only if something is left to judge.

        Returns:
            The outcome of the run, and the contents of `summary.json`.

        Raises:
            UserError: The folder holds another run's results, or a model, a server or the sandbox is not available.
            RunError: Something that all solutions need is gone.
        """
        verifier = CheckedVerifier(self.verifier)

        async def ask(item: LabelledSolution) -> Verdict:
            return await self.threshold.ask(verifier, item.problem, item.solution)

        extra: JsonObject = {
            "config_hash": self.identity,
            "seed": self.config["seed"],
            "simulated": list(simulations(self.config, self.engines)),
        }

        async def start() -> tuple[str, ...]:
            await resources.start(self.engines, self.used_sandbox)
            check_sizes(self.engines, self.budget)
            extra["engines"] = {place: report_of(engine) for place, engine in self.engines.items()}
            if any(asks_server(engine) for engine in self.engines.values()):
                with inside("verifier"):
                    self.verifier.check()
            return () if self.used_sandbox is None else self.used_sandbox.layers

        judge = Judge(ask, folder, problems_in_flight(self.config, self.engines), self.budget)
        shaping = verdicts_hash(self.config, self.threshold.stops)
        try:
            return await judge.run(self.items, start, self.threshold, self.bootstrap, shaping, extra)
        finally:
            await resources.flush()


def compose_judge(config: Config, identity: str, resources: Resources, own: Choices | None = None) -> JudgeJob:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox and bank.
        own: Objects that replace the configuration's: a verifier, engines.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    check_groups(config, [group for group in _GROUPS if not (group == "verifier" and own.verifier)])
    if own.verifier is not None:
        config = {**config, "verifier": None}
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources, own.engines)
    task = labelled_source(build(config["task"], "task", role=Task))
    threshold: Threshold = build(config["threshold"], "threshold", role=Threshold)
    verifier = own.verifier or VERIFIER.checked(build_role(config, "verifier", engines, sandbox))
    _check_verifier(verifier, threshold)
    with inside("task"):
        task.check()
    job = JudgeJob(
        config=config,
        identity=identity,
        task=task,
        items=list(task.solutions()),
        verifier=verifier,
        threshold=threshold,
        bootstrap=build(config["bootstrap"], "bootstrap", role=Bootstrap),
        sandbox=sandbox,
        budget=build(config["budget"], "budget", role=Budget),
        engines=engines,
    )
    subsets: dict[str, list[Judged]] = {}
    for item in job.items:
        subsets.setdefault(item.subset, []).append(Judged(item.labels, item.complete, ()))
    with inside("threshold"):
        threshold.check(subsets)
    check_engines(config, engines, job.budget)
    with inside("verifier"):
        verifier.check()
    return job


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
