"""One job of the command line: composes the configured objects, checks them, runs the search."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.budget import Budget, Role
from tts.cli.command import print_error
from tts.cli.progress import ProgressBar
from tts.config.build import build
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.metered import MeteredEngine
from tts.evaluation.resume import Earlier
from tts.evaluation.runner import Outcome, Runner
from tts.evaluation.summary import first_errors, table
from tts.runtime.capabilities import (
    check_aggregates,
    check_answers,
    check_grading,
    check_needs,
    ranks_by_wholes,
)
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.runtime.resources import (
    CLOCKS,
    build_role,
    check_engines,
    check_groups,
    engines_of,
    parts_of,
    problems_in_flight,
    running,
    sandbox_of,
    takes_sandbox,
)
from tts.sandbox.base import Sandbox

_GROUPS = ("task", "policy", "verifier", "search", "sandbox", "grading", "budget")
_ROLES: tuple[Role, ...] = ("policy", "verifier")


@dataclass(frozen=True)
class Job:
    """The objects of one run.

    The policy, verifier and strategy come from configured classes of packages that this one does not import; their types
    are the protocols in `policies.base`, `verifiers.base` and `search.base`.
    """

    config: dict[str, Any]
    identity: str
    task: Task
    policy: Policy
    verifier: Verifier
    strategy: SearchStrategy
    sandbox: Sandbox
    grader: Grader
    budget: Budget
    engines: dict[str, MeteredEngine]

    @property
    def used_engines(self) -> dict[str, MeteredEngine]:
        """The engines that the search asks, by whose they are."""
        verifies = self.strategy.verifies
        return {place: engine for place, engine in self.engines.items() if verifies or place.startswith("policy")}

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, where the verifier or the grading runs code in it."""
        groups = ("grading", "verifier") if self.strategy.verifies else ("grading",)
        return self.sandbox if any(takes_sandbox(self.config, group) for group in groups) else None

    @property
    def reads_answers(self) -> bool:
        """Whether the search goes by the reference answers, so that its accuracy is a bound and no result."""
        return self.strategy.verifies and self.verifier.traits.reads_answers

    @property
    def in_flight(self) -> int:
        """How many problems are worked on at once: as many as can keep the engines busy with a request each."""
        return problems_in_flight(self.config, self.used_engines)

    @property
    def title(self) -> str:
        """What was run, in a line."""
        votes = f", K = {self.verifier.votes}" if self.strategy.verifies else ""
        return f"{self.task.name}: {_class_name(self.config['search'])}, N = {self.strategy.samples}{votes}"

    def plan(self) -> Table:
        """Returns what the run would do, with its upper bounds."""
        problems = self.task.count()
        n = self.strategy.samples
        result = Table(title="plan", title_justify="left", box=None, show_header=False, pad_edge=False)
        result.add_row(
            "task", f"{escape(self.task.name)}, {'unknown number of' if problems is None else problems} problems"
        )
        for role in _ROLES:
            for place, part in parts_of(self.config[role], role):
                if "_target_" in part:
                    on = f" on {escape(self.engines[place].name)}" if place in self.engines else ""
                    result.add_row(place, _class_name(part) + on)
        result.add_row("search", f"{_class_name(self.config['search'])}, {n} samples a problem")
        if self.reads_answers:
            result.add_row("", "for analysis only: the verifier is told the reference answers")
        bound = self.strategy.token_bound(self.policy)
        if problems is not None and bound is not None:
            result.add_row("at most", f"{problems * n:,} samples, {problems * bound:,} policy tokens")
        if self.strategy.verifies:
            step = self.verifier.token_bound(1)
            tokens = "no bound of" if step is None else f"{step:,}"
            result.add_row("", f"{self.verifier.votes} votes a step, {tokens} verifier tokens a step of a sample")
        for scope, limits in (("problem", self.budget.problem), ("run", self.budget.run)):
            text = ", ".join(f"{key} {bound:,}" for key, bound in vars(limits).items() if bound is not None)
            if text:
                result.add_row("limits", f"of {'each problem' if scope == 'problem' else 'the run'}: {text}")
        result.add_row("config", self.identity)
        return result


def compose(config: dict[str, Any], identity: str) -> Job:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.

    Raises:
        UserError: The configuration cannot work.
    """
    check_groups(config, _GROUPS)
    sandbox = sandbox_of(config)
    engines = engines_of(config, _ROLES)
    grader = build(config["grading"], "grading", sandbox=sandbox)
    job = Job(
        config=config,
        identity=identity,
        task=build(config["task"], "task"),
        policy=build_role(config, "policy", engines, sandbox),
        verifier=build_role(config, "verifier", engines, sandbox, grader=grader),
        strategy=build(config["search"], "search", seed=config["seed"]),
        sandbox=sandbox,
        grader=grader,
        budget=build(config["budget"], "budget"),
        engines=engines,
    )
    check_needs(job.strategy, job.policy, job.verifier)
    if job.strategy.verifies:
        check_aggregates(config["search"].get("aggregator"), job.verifier)
    check_engines(config, job.used_engines, job.budget)
    for part in (job.task, job.policy, job.verifier):
        part.check()
    check_grading(job.grader, job.task)
    if job.reads_answers:
        check_answers(job.verifier, job.task)
    return job


def _class_name(config: Mapping[str, Any]) -> str:
    return str(config["_target_"]).rsplit(".", 1)[-1]


async def execute(job: Job, folder: Path, console: Console) -> Outcome:
    """Runs a job.

    Raises:
        UserError: A model, a server or the sandbox is not there.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(job.grader.close)
        sandbox = job.used_sandbox
        await stack.enter_async_context(running(job.used_engines, sandbox, job.budget))
        policy, verifier = LimitedPolicy(job.policy), CheckedVerifier(job.verifier)

        async def search(problem: Any) -> Any:
            return await job.strategy.search(problem, policy, verifier, job.grader)

        runner = Runner(search, job.grader, folder, job.in_flight, job.budget)
        extra = {
            "config_hash": job.identity,
            "seed": job.config["seed"],
            "sandbox": [] if sandbox is None else list(sandbox.layers),
            "reads_answers": job.reads_answers,
        }
        earlier = Earlier(job.task.problems()) if job.config.get("resume") else None
        with ProgressBar(console, job.task.count()) as progress:
            return await runner.run(job.task.problems(), progress, extra, earlier)


def run_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Composes, checks and runs one job, tells the user, and returns the exit status.

    Returns:
        0; 1 where a problem ended with an error or the steps' separator was never seen; 2 where the user made a mistake.
    """
    try:
        job = compose(config, identity)
        if ranks_by_wholes(job.strategy, job.verifier):
            console.print(
                f"verifier ({type(job.verifier).__name__}) has one reward for a solution as a whole: "
                f"search ({type(job.strategy).__name__}) ranks beginnings of solutions by theirs"
            )
        if config["dry_run"]:
            console.print(job.plan())
            return 0
        with asyncio.Runner(loop_factory=CLOCKS[config["clock"]]) as loop:
            outcome = loop.run(execute(job, folder, console))
    except UserError as error:
        print_error(console, str(error))
        return 2
    console.print(table(outcome.tally, outcome.summary, escape(job.title)))
    if job.reads_answers:
        console.print("the verifier was told the reference answers: what the search reached is a bound, and no result")
    console.print(str(folder), style="dim", markup=False, highlight=False, soft_wrap=True)
    status = 0
    if outcome.stopped:
        total = job.task.count()
        of = "" if total is None else f" of {total:,}"
        console.print(f"the limit {outcome.stopped} ended the run after {outcome.tally.n_problems:,}{of} problems")
    if outcome.tally.n_errors:
        print_error(console, f"{outcome.tally.n_errors} of {outcome.tally.n_problems} problems ended with an error")
        for line in first_errors(outcome.tally):
            console.print("  " + line, markup=False, highlight=False, soft_wrap=True)
        status = 1
    if job.policy.splits and job.strategy.verifies and outcome.tally.solutions and not outcome.tally.stepped:
        print_error(
            console,
            f"policy.steps={config['policy'].get('steps')!r} never cut a solution: all {outcome.tally.solutions} of them "
            "were judged as one step; choose the format that the model writes (blank_line, heading, numbered, or a text)",
        )
        status = 1
    return status
