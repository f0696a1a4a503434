"""One job of the command line: composes the configured objects, checks them, runs the search."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tts.budget import Budget, Role
from tts.clock import VirtualLoop
from tts.compose import build, engine_of
from tts.engines.gate import Gate
from tts.errors import UserError
from tts.needs import check_needs
from tts.progress import ProgressBar
from tts.roles import CheckedVerifier, LimitedPolicy
from tts.run import Outcome, Runner
from tts.sandbox.base import Sandbox
from tts.summary import first_errors, table
from tts.tasks.base import Task
from tts.tasks.grading import Grader

_GROUPS = ("task", "policy", "verifier", "search", "sandbox", "grading", "budget")
_ROLES: tuple[Role, ...] = ("policy", "verifier")
_CLOCKS: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"real": None, "virtual": VirtualLoop}
_LEAST_PROBLEMS = 64


@dataclass(frozen=True)
class Job:
    """The objects of one run.

    The policy, verifier and strategy come from configured classes of packages that this one does not import; their types
    are the protocols in `policies.base`, `verifiers.base` and `search.base`.
    """

    config: dict[str, Any]
    identity: str
    task: Task
    policy: Any
    verifier: Any
    strategy: Any
    sandbox: Sandbox
    grader: Grader
    budget: Budget
    engines: dict[Role, Gate]

    @property
    def used_engines(self) -> dict[Role, Gate]:
        """The engines that the search asks."""
        return {role: engine for role, engine in self.engines.items() if role == "policy" or self.strategy.verifies}

    @property
    def in_flight(self) -> int:
        """How many problems are worked on at once: as many as can keep the engines busy with a request each."""
        given: int | None = self.config["in_flight"]["problems"]
        busy = sum(min(engine.capacity, 1024) for engine in self.used_engines.values())
        return max(_LEAST_PROBLEMS, busy) if given is None else given

    @property
    def title(self) -> str:
        """What was run, in a line."""
        votes = f", K = {self.verifier.votes}" if self.strategy.verifies else ""
        return f"{self.task.name}: {self._name('search')}, N = {self.strategy.samples}{votes}"

    def _name(self, group: str) -> str:
        return str(self.config[group]["_target_"]).rsplit(".", 1)[-1]

    def plan(self) -> Table:
        """Returns what the run would do, with its upper bounds."""
        problems = self.task.count()
        n = self.strategy.samples
        result = Table(title="plan", title_justify="left", box=None, show_header=False, pad_edge=False)
        result.add_row("task", f"{self.task.name}, {'unknown number of' if problems is None else problems} problems")
        for role, engine in self.engines.items():
            result.add_row(role, f"{self._name(role)} on {engine.name}")
        result.add_row("search", f"{self._name('search')}, {n} samples a problem")
        bound = self.strategy.token_bound(self.policy)
        if problems is not None and bound is not None:
            result.add_row("at most", f"{problems * n:,} samples, {problems * bound:,} policy tokens")
        if self.strategy.verifies:
            step = self.verifier.token_bound(1)
            result.add_row("", f"{self.verifier.votes} votes a step, {step:,} verifier tokens a step of a sample")
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
    unknown = [group for group in _GROUPS if group not in config]
    if unknown:
        raise UserError(f"the configuration has no {', '.join(unknown)}")
    if config["clock"] not in _CLOCKS:
        raise UserError(f"clock={config['clock']}: choose one of {', '.join(_CLOCKS)}")
    sandbox = build(config["sandbox"], "sandbox")
    in_flight = _in_flight(config["in_flight"])
    engines = {
        role: engine_of(role, config[role]["engine"], in_flight[role]) for role in _ROLES if config[role].get("engine")
    }

    def build_role(role: Role) -> Any:
        own = {key: value for key, value in config[role].items() if key != "engine"}
        engine = {"engine": engines[role]} if role in engines else {}
        return build(own, role, seed=config["seed"], sandbox=sandbox, **engine)

    job = Job(
        config=config,
        identity=identity,
        task=build(config["task"], "task"),
        policy=build_role("policy"),
        verifier=build_role("verifier"),
        strategy=build(config["search"], "search", seed=config["seed"]),
        sandbox=sandbox,
        grader=build(config["grading"], "grading"),
        budget=build(config["budget"], "budget"),
        engines=engines,
    )
    check_needs(job.strategy, job.policy, job.verifier)
    if config["clock"] == "virtual":
        for role, gate in job.used_engines.items():
            if not gate.follows_clock:
                raise UserError(
                    f"clock=virtual: '{gate.name}' takes real time; use engine@{role}.engine=simulated or clock=real"
                )
    if job.budget.limits("dollars"):
        for role, gate in job.used_engines.items():
            if not gate.priced:
                raise UserError(
                    f"budget.*.dollars: what {role} costs is not known; set {role}.engine.prompt_price and "
                    f"{role}.engine.completion_price, in dollars for a million tokens"
                )
    for part in (job.task, job.policy, job.verifier):
        part.check()
    return job


def _in_flight(config: Any) -> dict[str, int | None]:
    """Returns the limits of what is in flight, checked."""
    kinds = ("problems", *_ROLES)
    if not isinstance(config, dict):
        raise UserError(f"in_flight={config}: set in_flight.problems, in_flight.policy or in_flight.verifier")
    for key, limit in config.items():
        if key not in kinds:
            raise UserError(f"in_flight.{key}: no such setting; it takes {', '.join(kinds)}")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise UserError(
                f"in_flight.{key}={limit}: a whole number of 1 or more, or null for what the engines can take"
            )
    return config


async def execute(job: Job, folder: Path, console: Console) -> Outcome:
    """Runs a job.

    Raises:
        UserError: A model, a server or the sandbox is not there.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(job.grader.close)
        if job.strategy.verifies:
            stack.push_async_callback(job.sandbox.close)
            await job.sandbox.start()
        for role, engine in job.used_engines.items():
            await engine.start()
            if engine.parameters is None and job.budget.limits("flops"):
                raise UserError(
                    f"budget.*.flops: the size of '{engine.name}' is not known; set {role}.engine.parameters"
                )
        policy, verifier = LimitedPolicy(job.policy), CheckedVerifier(job.verifier)

        async def search(problem: Any) -> Any:
            return await job.strategy.search(problem, policy, verifier, job.grader)

        # What is loaded by now stays: no collection of garbage needs to look at it again.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        runner = Runner(search, job.grader, folder, job.in_flight, job.budget)
        extra = {
            "config_hash": job.identity,
            "seed": job.config["seed"],
            "sandbox": list(job.sandbox.layers) if job.strategy.verifies else [],
        }
        with ProgressBar(console, job.task.count()) as progress:
            return await runner.run(job.task.problems(), progress, extra)


def run_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Composes, checks and runs one job, tells the user, and returns the exit status.

    Returns:
        0; 1 where a problem ended with an error or the steps' separator was never seen; 2 where the user made a mistake.
    """
    try:
        job = compose(config, identity)
        if config["dry_run"]:
            console.print(job.plan())
            return 0
        with asyncio.Runner(loop_factory=_CLOCKS[config["clock"]]) as loop:
            outcome = loop.run(execute(job, folder, console))
    except UserError as error:
        tell(console, str(error))
        return 2
    console.print(table(outcome.tally, outcome.summary, job.title))
    console.print(f"[dim]{folder}[/dim]", soft_wrap=True)
    status = 0
    if outcome.stopped:
        total = job.task.count()
        of = "" if total is None else f" of {total:,}"
        console.print(f"the limit {outcome.stopped} ended the run after {outcome.tally.n_problems:,}{of} problems")
    if outcome.tally.n_errors:
        tell(console, f"{outcome.tally.n_errors} of {outcome.tally.n_problems} problems ended with an error")
        for line in first_errors(outcome.tally):
            console.print("  " + line, markup=False, highlight=False, soft_wrap=True)
        status = 1
    if job.policy.splits and job.strategy.verifies and outcome.tally.solutions and not outcome.tally.stepped:
        tell(
            console,
            f"policy.steps={config['policy'].get('steps')!r} never cut a solution: all {outcome.tally.solutions} of them "
            "were judged as one step; choose the format that the model writes (blank_line, heading, numbered, or a text)",
        )
        status = 1
    return status


def tell(console: Console, message: str) -> None:
    """Prints an error message."""
    console.print("[bold red]error:[/bold red] ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
