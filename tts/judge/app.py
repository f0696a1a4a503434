"""One job of the command line: composes what judges, checks it, has the labelled solutions judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
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
from tts.core.errors import ProblemError, UserError
from tts.core.values import Verdict
from tts.core.verifier import Verifier
from tts.engines.metered import MeteredEngine
from tts.evaluation.record import Record
from tts.files.writing import write_whole
from tts.judge.judged import Judged
from tts.judge.record import verdicts_hash
from tts.judge.runner import Judge, Judging
from tts.judge.summary import count_wholes, finished, summarize
from tts.judge.tables import tables
from tts.judge.threshold import Threshold
from tts.runtime.guards import CheckedVerifier
from tts.runtime.resources import (
    CLOCKS,
    build_role,
    check_engines,
    check_groups,
    engines_of,
    problems_in_flight,
    running,
    sandbox_of,
    takes_sandbox,
)
from tts.sandbox.base import Sandbox
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution, LabelledSource

_GROUPS = ("task", "verifier", "sandbox", "budget", "threshold", "bootstrap")
_ROLES: tuple[Role, ...] = ("verifier",)


@dataclass(frozen=True)
class Job:
    """The objects of one run; the verifier is a `verifiers.base.Verifier`."""

    config: dict[str, Any]
    identity: str
    task: LabelledSource
    items: Sequence[LabelledSolution]
    verifier: Verifier
    threshold: Threshold
    bootstrap: Bootstrap
    sandbox: Sandbox
    budget: Budget
    engines: dict[str, MeteredEngine]

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, where the verifier runs code in it."""
        return self.sandbox if takes_sandbox(self.config, "verifier") else None

    @property
    def title(self) -> str:
        """What is judged by whom, in a line."""
        name = type(self.verifier).__name__
        return f"{self.task.name}: {name}, K = {self.verifier.votes}, {self.threshold.rule} threshold"

    def plan(self) -> Table:
        """Returns what the run would do, with its upper bounds."""
        subsets: dict[str, list[LabelledSolution]] = {}
        for item in self.items:
            subsets.setdefault(item.subset, []).append(item)
        result = Table(title="plan", title_justify="left", box=None, show_header=False, pad_edge=False)
        for name, items in subsets.items():
            steps = sum(len(item.solution.steps) for item in items)
            result.add_row("subset", f"{escape(name)}: {len(items):,} solutions, {steps:,} steps")
        result.add_row("verifier", f"{type(self.verifier).__name__}, {self.verifier.votes} votes a step")
        for place, gate in self.engines.items():
            result.add_row(f"{place}.engine", escape(gate.name))
        bounds = [self.verifier.token_bound(len(item.solution.steps)) for item in self.items]
        known = [bound for bound in bounds if bound is not None]
        if len(known) == len(bounds):
            result.add_row("at most", f"{sum(known):,} verifier tokens")
        where = "" if self.threshold.subset is None else f" on {escape(self.threshold.subset)}"
        result.add_row("threshold", f"{self.threshold.rule}{where or f', {self.threshold.value}'}")
        result.add_row("config", self.identity)
        return result

    def previews(self) -> list[tuple[str, str]]:
        """Returns for the first solution of each subset its name and what the verifier's model would read of it.

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


def compose(config: dict[str, Any], identity: str) -> Job:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Raises:
        UserError: The configuration cannot work.
    """
    check_groups(config, _GROUPS)
    sandbox = sandbox_of(config)
    engines = engines_of(config, _ROLES)
    task = build(config["task"], "task")
    if not isinstance(task, LabelledSource):
        raise UserError(
            f"task={task.name}: its problems are no labelled solutions; choose processbench, prmbench or labelled, which "
            "reads your own"
        )
    threshold = build(config["threshold"], "threshold")
    verifier = build_role(config, "verifier", engines, sandbox)
    if verifier.traits.reads_answers:
        raise UserError(
            f"verifier ({type(verifier).__name__}) reads the reference answers, and labelled solutions have none; choose "
            "another verifier, or use it with python -m tts"
        )
    if threshold.stops is not None and "prefixes" in verifier.traits.lacks:
        raise UserError(
            f"threshold.rule={threshold.rule} asks about one step more at a time, which this verifier "
            f"({type(verifier).__name__}) cannot be; choose threshold.rule=fixed"
        )
    task.check()
    job = Job(
        config=config,
        identity=identity,
        task=task,
        items=list(task.solutions()),
        verifier=verifier,
        threshold=threshold,
        bootstrap=build(config["bootstrap"], "bootstrap"),
        sandbox=sandbox,
        budget=build(config["budget"], "budget"),
        engines=engines,
    )
    subsets: dict[str, list[Judged]] = {}
    for item in job.items:
        subsets.setdefault(item.subset, []).append(Judged(item.labels, item.complete, ()))
    threshold.check(subsets)
    check_engines(config, engines, job.budget)
    verifier.check()
    return job


async def execute(job: Job, folder: Path, console: Console) -> tuple[Judging, dict[str, Any]]:
    """Runs a job; writes `results.jsonl` and `summary.json`.

    Raises:
        UserError: The folder holds another run's results, or a model, a server or the sandbox is not there.
    """
    verifier = CheckedVerifier(job.verifier)
    summary: dict[str, Any] = {}
    path = folder / "summary.json"
    before = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    async def ask(item: LabelledSolution) -> Verdict:
        return await job.threshold.ask(verifier, item.problem, item.solution)

    def finish(judging: Judging) -> list[Record]:
        layers = () if job.used_sandbox is None else job.used_sandbox.layers
        # It is not started where nothing is left to judge.
        extra = {
            "sandbox": list(layers or before.get("sandbox", ())),
            "config_hash": job.identity,
            "seed": job.config["seed"],
        }
        summary.update(summarize(judging, job.threshold, job.bootstrap, extra))
        write_whole(path, json.dumps(summary, indent=2) + "\n")
        return finished(judging, summary["threshold"]["value"])

    judge = Judge(
        ask,
        folder,
        problems_in_flight(job.config, job.engines),
        job.budget,
        verdicts_hash(job.config, job.threshold.stops),
    )
    with ProgressBar(console, len(job.items)) as progress:
        judging = await judge.run(job.items, running(job.engines, job.used_sandbox, job.budget), finish, progress)
    return judging, summary


def run_job(config: dict[str, Any], identity: str, folder: Path, console: Console) -> int:
    """Composes, checks and runs one job, tells the user, and returns the exit status.

    Returns:
        0; 1 where a solution ended with an error; 2 where the user made a mistake.
    """
    try:
        job = compose(config, identity)
        if config["dry_run"]:
            previews = job.previews()
            console.print(job.plan())
            for name, text in previews:
                console.rule(f"{escape(name)}: what the model reads, \u27e6\u2026\u27e7 where it is read")
                console.print(text, markup=False, highlight=False, soft_wrap=True)
            return 0
        with asyncio.Runner(loop_factory=CLOCKS[config["clock"]]) as loop:
            judging, summary = loop.run(execute(job, folder, console))
    except UserError as error:
        print_error(console, str(error))
        return 2
    console.print(tables(summary, job.title))
    console.print(str(folder), style="dim", markup=False, highlight=False, soft_wrap=True)
    # With a threshold of its own, or asked for one step more at a time, it may end with any score.
    ends_early = job.threshold.stops is not None or job.verifier.traits.aggregators is not None
    lacks_steps = "steps" in job.verifier.traits.lacks
    if not ends_early and (wholes := count_wholes(judging, summary["threshold"]["value"], lacks_steps)):
        console.print(
            f"{wholes:,} solutions have one score for all of their steps: of their figures, solution F1 and AUC mean "
            "something (docs/judge.md)"
        )
    if judging.stopped:
        console.print(
            f"the limit {judging.stopped} ended the run after {judging.n_problems:,} of {len(job.items):,} solutions; the "
            "same command with a higher one goes on"
        )
    failed = [row for row in judging.records.values() if row["error"] is not None]
    if not failed:
        return 0
    print_error(
        console,
        f"{len(failed)} of {judging.n_problems} solutions ended with an error; the same command tries them again",
    )
    for row in failed[:3]:
        console.print(f"  solution {row['id']}: {row['error']}", markup=False, highlight=False, soft_wrap=True)
    return 1
