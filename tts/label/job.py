"""A policy's solutions, labelled: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tts.budget import Budget, Role
from tts.config.build import Config, build
from tts.core import Problem
from tts.core.grader import Grader
from tts.core.json import JsonObject
from tts.core.policy import Policy
from tts.core.settings import inside
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.base import asks_server, report_of
from tts.engines.metered import MeteredEngine
from tts.evaluation.doubts import Doubts
from tts.label.checks import check_engine, check_fit, check_problems
from tts.label.completions import Completions
from tts.label.labelling import Labeller
from tts.label.record import Resume
from tts.label.rules import Rule
from tts.label.runner import Labelling, Runner
from tts.label.sampling import Sampling
from tts.runtime.contracts import GRADER, POLICY, TASK, VERIFIER
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
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

_GROUPS = ("task", "policy", "completer", "rule", "sampling", "completions", "grading", "sandbox", "budget")
_ROLES: tuple[Role, ...] = ("policy", "completer", "verifier")


@dataclass(frozen=True)
class LabelJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the problems.
        problems: The problems.
        policy: Samples the solutions.
        completer: Completes their prefixes.
        verifier: Scores their steps; None for no scores.
        rule: Derives the labels.
        sampling: Which solutions are sampled and kept.
        completions: How many completions the prefixes get.
        grader: Grades the answers.
        sandbox: Runs code.
        budget: The limits of each problem and of the run.
        engines: The engines in use, by place (`policy`, `completer`, `verifier`).
    """

    config: Config
    identity: str
    task: Task
    problems: Sequence[Problem]
    policy: Policy
    completer: Policy
    verifier: Verifier | None
    rule: Rule
    sampling: Sampling
    completions: Completions
    grader: Grader
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox if the verifier or the grader runs code, else None."""
        judges = self.verifier is not None and self.verifier.traits.runs_code
        return self.sandbox if judges or self.grader.runs_code else None

    @property
    def title(self) -> str:
        """A one-line description."""
        parts = [self.task.name, type(self.rule).__name__]
        if self.completions.most:
            parts.append(type(self.completions).__name__)
        return f"{parts[0]}: {', '.join(parts[1:])}"

    @cached_property
    def most_samples(self) -> Sequence[int]:
        """The most samples of each problem."""
        holds = self.policy.traits.holds
        return [min(self.sampling.most, holds(problem)) if holds else self.sampling.most for problem in self.problems]

    @property
    def most_solutions(self) -> int:
        """The most solutions that are labelled."""
        return sum(min(self.sampling.kept, most) for most in self.most_samples)

    @cached_property
    def resume(self) -> Resume:
        """Which records of an earlier run are valid."""
        return Resume(self.problems, self.config)

    async def run(self, resources: Resources, folder: Path) -> Labelling:
        """Labels all problems without a record; writes `results.jsonl`, `labels.jsonl` and `summary.json`.

        Models are loaded only if a problem is left: another rule over the same records costs nothing.

        Raises:
            UserError: The folder holds another run's results, or a model, a server or the sandbox is not available.
            RunError: Something that all problems need is gone.
        """
        doubts = Doubts(self.grader)
        found: JsonObject = {}

        def extra() -> JsonObject:
            own = {"rule": self.config["rule"], "config_hash": self.identity, "seed": self.config["seed"]}
            return {**own, **found, "grading": doubts.counts()}

        async def start() -> None:
            await resources.start(self.engines, self.used_sandbox)
            check_sizes(self.engines, self.budget)
            found["engines"] = {place: report_of(engine) for place, engine in self.engines.items()}
            if any(asks_server(engine) for engine in self.engines.values()):
                # What a server can do is known only now that it has been asked.
                self.check()

        labeller = Labeller(
            LimitedPolicy(self.policy),
            LimitedPolicy(self.completer),
            None if self.verifier is None else CheckedVerifier(self.verifier),
            self.grader,
            self.sampling,
            self.completions,
            same=self.config["policy"] == self.config["completer"],
        )
        in_flight = problems_in_flight(self.config, self.engines)
        runner = Runner(labeller.label, self.rule, self.grader, folder, in_flight, self.budget)
        try:
            return await runner.run(self.problems, start, self.resume, extra)
        finally:
            await resources.flush()

    def check(self) -> None:
        """Checks the parts against each other and against their engines.

        Raises:
            UserError: They do not fit.
        """
        with inside("policy"):
            self.policy.check()
        if self.completions.most:
            with inside("completer"):
                self.completer.check()
        if self.verifier is not None:
            with inside("verifier"):
                self.verifier.check()
        check_fit(self.rule, self.completions, self.completer, self.verifier)


def compose_label(config: Config, identity: str, resources: Resources) -> LabelJob:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox, grader and bank.

    Raises:
        UserError: The configuration cannot work.
    """
    if not (config.get("verifier") or {}).get("_target_"):
        config = {**config, "verifier": None}
    check_groups(config, _GROUPS)
    check_engine(config["verifier"])
    completions: Completions = build(config["completions"], "completions", role=Completions)
    if not completions.most:
        # Nothing is completed: whatever completes by default takes no part, and needs no engine.
        config = {**config, "completer": config["policy"]}
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources)
    grader: Grader = GRADER.checked(resources.grader(config["grading"], sandbox))
    task: Task = TASK.checked(build(config["task"], "task", role=Task))
    with inside("task"):
        task.check()
    judged = config["verifier"] is not None
    job = LabelJob(
        config=config,
        identity=identity,
        task=task,
        problems=list(task.problems()),
        policy=POLICY.checked(build_role(config, "policy", engines, sandbox)),
        completer=POLICY.checked(build_role(config, "completer", engines, sandbox)),
        verifier=VERIFIER.checked(build_role(config, "verifier", engines, sandbox, grader=grader)) if judged else None,
        rule=build(config["rule"], "rule", role=Rule),
        sampling=build(config["sampling"], "sampling", role=Sampling),
        completions=completions,
        grader=grader,
        sandbox=sandbox,
        budget=build(config["budget"], "budget", role=Budget),
        engines={place: engine for place, engine in engines.items() if completions.most or place != "completer"},
    )
    check_engines(config, job.engines, job.budget)
    job.check()
    check_problems(job.problems, job.policy, grader, job.sampling, completions)
    return job
