"""One job of the command line: composes the configured objects, checks them, runs the search."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tts.compose import build, shared_engine
from tts.engines.base import Engine
from tts.errors import UserError
from tts.progress import ProgressBar
from tts.run import Outcome, Runner
from tts.sandbox.base import Sandbox
from tts.summary import first_errors, table
from tts.tasks.base import Task
from tts.tasks.grading import Grader

_GROUPS = ("task", "policy", "verifier", "search", "sandbox", "grading")


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
    engines: dict[str, Engine]

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
        bound = self.policy.token_bound(n)
        if problems is not None and bound is not None:
            result.add_row("at most", f"{problems * n:,} samples, {problems * bound:,} policy tokens")
        if self.strategy.verifies:
            step = self.verifier.token_bound(1)
            result.add_row("", f"{self.verifier.votes} votes a step, {step:,} verifier tokens a step of a sample")
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
    seed = config["seed"]
    sandbox = build(config["sandbox"], "sandbox")
    engines = {
        role: shared_engine(config[role]["engine"], f"{role}.engine")
        for role in ("policy", "verifier")
        if config[role].get("engine")
    }
    policy, verifier = (build(config[role], role, seed=seed, sandbox=sandbox) for role in ("policy", "verifier"))
    job = Job(
        config=config,
        identity=identity,
        task=build(config["task"], "task"),
        policy=policy,
        verifier=verifier,
        strategy=build(config["search"], "search"),
        sandbox=sandbox,
        grader=build(config["grading"], "grading"),
        engines=engines,
    )
    for part in (job.task, job.policy, job.verifier):
        part.check()
    return job


async def execute(job: Job, folder: Path, console: Console) -> Outcome:
    """Runs a job.

    Raises:
        UserError: A model, a server or the sandbox is not there.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(job.grader.close)
        starting = [engine for role, engine in job.engines.items() if role == "policy" or job.strategy.verifies]
        if job.strategy.verifies:
            stack.push_async_callback(job.sandbox.close)
            await job.sandbox.start()
        for engine in starting:
            await engine.start()

        async def search(problem: Any) -> Any:
            return await job.strategy.search(problem, job.policy, job.verifier, job.grader)

        runner = Runner(search, job.grader, folder, job.config["in_flight"])
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
        outcome = asyncio.run(execute(job, folder, console))
    except UserError as error:
        tell(console, str(error))
        return 2
    console.print(table(outcome.tally, outcome.summary, job.title))
    console.print(f"[dim]{folder}[/dim]", soft_wrap=True)
    status = 0
    if outcome.tally.n_errors:
        tell(console, f"{outcome.tally.n_errors} of {outcome.tally.n_problems} problems ended with an error")
        for line in first_errors(outcome.tally.errors):
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
