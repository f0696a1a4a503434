"""The work on one problem: solutions sampled, their prefixes completed, recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tts.budget import Budget, LimitReached, Role, current
from tts.config.build import Config, build
from tts.core import Problem
from tts.core.grader import Grader
from tts.core.json import JsonObject
from tts.core.policy import Policy
from tts.core.settings import inside
from tts.core.verifier import Verifier
from tts.engines.base import report_of
from tts.engines.metered import MeteredEngine
from tts.evaluation.doubts import Doubts
from tts.label.checks import check_engine, check_fit
from tts.label.completions import Completions
from tts.label.labelling import Labeller
from tts.label.record import LIMIT, ProblemRow, empty, record
from tts.label.rules import Rule
from tts.label.sampling import Sampling
from tts.runtime.contracts import GRADER, POLICY, VERIFIER
from tts.runtime.executor import BaseWork
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.runtime.parts import bank_of, build_role, check_engines, engines_of, problems_in_flight, start_parts
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox

_ROLES: tuple[Role, ...] = ("policy", "completer", "verifier")


@dataclass(frozen=True)
class LabelWork(BaseWork):
    """Gathers the evidence on problems.

    Attributes:
        policy: Samples the solutions.
        completer: Completes their prefixes.
        verifier: Scores their steps; None for no scores.
        rule: Derives the labels.
        sampling: Which solutions are sampled and kept.
        completions: How many completions the prefixes get.
        same: Whether policy and completer are one.
        grader: Grades the answers.
        sandbox: Runs code.
        budget: The limits of each problem and of the run.
        engines: The engines in use, by place (`policy`, `completer`, `verifier`).
        in_flight: Number of problems in progress concurrently.
        resources: The resources that it was composed with.
        doubts: Counts what grading could not say.
    """

    policy: Policy
    completer: Policy
    verifier: Verifier | None
    rule: Rule
    sampling: Sampling
    completions: Completions
    same: bool
    grader: Grader
    sandbox: Sandbox
    budget: Budget
    engines: Mapping[str, MeteredEngine]
    in_flight: int
    resources: Resources
    doubts: Doubts

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox if the verifier or the grader runs code, else None."""
        judges = self.verifier is not None and self.verifier.traits.runs_code
        return self.sandbox if judges or self.grader.runs_code else None

    async def start(self) -> JsonObject:
        """Starts the sandbox if it is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """
        await start_parts(self.resources, self.engines, self.used_sandbox, self.budget, self.check)
        return {"engines": {place: report_of(engine) for place, engine in self.engines.items()}}

    async def do(self, problem: Problem) -> ProblemRow:
        """Gathers the evidence on one problem; its record has no key yet.

        Raises:
            ProblemError: It failed.
        """
        labeller = Labeller(
            LimitedPolicy(self.policy),
            LimitedPolicy(self.completer),
            None if self.verifier is None else CheckedVerifier(self.verifier),
            self.grader,
            self.sampling,
            self.completions,
            same=self.same,
        )
        try:
            found = await labeller.label(problem)
        except LimitReached:
            return empty(problem, current(), "", skipped=LIMIT)
        return record(problem, found, self.grader, current(), "")

    def counts(self) -> Mapping[str, int]:
        """Returns what grading could not say."""
        return self.doubts.counts()

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


def with_completer(config: Config) -> Config:
    """Returns a configuration whose completer takes part: where nothing is completed, the default one needs no engine."""
    check_engine(config["verifier"])
    completions: Completions = build(config["completions"], "completions", role=Completions)
    return config if completions.most else {**config, "completer": config["policy"]}


def compose_label_work(config: Config, resources: Resources) -> LabelWork:
    """Creates and checks what labels; loads no weights and starts nothing.

    Args:
        config: The resolved configuration, `with_completer`.
        resources: Creates engines, sandbox, grader and bank.

    Raises:
        UserError: The configuration cannot work.
    """
    completions: Completions = build(config["completions"], "completions", role=Completions)
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources)
    grader: Grader = GRADER.checked(resources.grader(config["grading"], sandbox))
    judged = config["verifier"] is not None
    used = {place: engine for place, engine in engines.items() if completions.most or place != "completer"}
    work = LabelWork(
        policy=POLICY.checked(build_role(config, "policy", engines, sandbox)),
        completer=POLICY.checked(build_role(config, "completer", engines, sandbox)),
        verifier=VERIFIER.checked(build_role(config, "verifier", engines, sandbox, grader=grader)) if judged else None,
        rule=build(config["rule"], "rule", role=Rule),
        sampling=build(config["sampling"], "sampling", role=Sampling),
        completions=completions,
        same=config["policy"] == config["completer"],
        grader=grader,
        sandbox=sandbox,
        budget=build(config["budget"], "budget", role=Budget),
        engines=used,
        in_flight=problems_in_flight(config, used),
        resources=resources,
        doubts=Doubts(grader),
    )
    check_engines(config, used, work.budget)
    work.check()
    return work
