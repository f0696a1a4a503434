"""One job of `tts judge`: composes, checks, judges labelled solutions, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.failures import print_error
from tts.cli.host import Host
from tts.cli.progress import ProgressBar
from tts.config.build import Config
from tts.core.errors import UserError
from tts.core.json import Summary
from tts.judge.job import JudgeJob, compose_judge
from tts.judge.judging import Judging
from tts.judge.summary import count_wholes
from tts.judge.tables import tables
from tts.runtime.resources import Resources
from tts.runtime.simulations import SAID
from tts.tasks.labelled import LabelledSolution


def run_judge(host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
    """Composes, checks and runs one job, reports to the user, and returns the exit status.

    Returns:
        0; 1 if a solution ended with an error; 2 if the user made a mistake.
    """

    async def run(resources: Resources) -> int:
        job = compose_judge(config, identity, resources)
        if config["dry_run"]:
            previews = job.previews()
            console.print(plan(job))
            for name, text in previews:
                console.rule(f"{escape(name)}: what the model reads, \u27e6\u2026\u27e7 where it is read")
                console.print(text, markup=False, highlight=False, soft_wrap=True)
            return 0
        with ProgressBar(console, len(job.items)):
            judging, summary = await job.run(resources, folder)
        return _report(job, judging, summary, folder, console)

    try:
        return host.run(config["clock"] if config.get("clock") == "virtual" else "real", run)
    except UserError as error:
        print_error(console, str(error))
        return 2


def plan(job: JudgeJob) -> Table:
    """Returns a table of what the run would do, with upper bounds."""
    subsets: dict[str, list[LabelledSolution]] = {}
    for item in job.items:
        subsets.setdefault(item.subset, []).append(item)
    result = Table(title="plan", title_justify="left", box=None, show_header=False, pad_edge=False)
    for name, items in subsets.items():
        steps = sum(len(item.solution.steps) for item in items)
        result.add_row("subset", f"{escape(name)}: {len(items):,} solutions, {steps:,} steps")
    result.add_row("verifier", f"{type(job.verifier).__name__}, {job.verifier.votes} votes a step")
    for place, engine in job.engines.items():
        result.add_row(f"{place}.engine", escape(engine.name))
    bounds = [job.verifier.token_bound(len(item.solution.steps)) for item in job.items]
    known = [bound for bound in bounds if bound is not None]
    if len(known) == len(bounds):
        result.add_row("at most", f"{sum(known):,} verifier tokens")
    where = "" if job.threshold.subset is None else f" on {escape(job.threshold.subset)}"
    result.add_row("threshold", f"{job.threshold.rule}{where or f', {job.threshold.value}'}")
    result.add_row("config", job.identity)
    return result


def _report(job: JudgeJob, judging: Judging, summary: Summary, folder: Path, console: Console) -> int:
    """Reports the outcome of the run, and returns its exit status."""
    console.print(tables(summary, job.title))
    if summary["simulated"]:
        console.print(f"{' and '.join(SAID[name] for name in summary['simulated'])}: the figures are no results")
    console.print(str(folder), style="dim", markup=False, highlight=False, soft_wrap=True)
    # With its own threshold, or judging step by step, it may stop after any score.
    traits = job.verifier.traits
    ends_early = job.threshold.stops is not None or traits.aggregators is not None
    if not ends_early and (wholes := count_wholes(judging, summary["threshold"]["value"], "steps" in traits.lacks)):
        console.print(
            f"{wholes:,} solutions have one score for all of their steps: of their figures, only solution F1 and AUC are "
            "meaningful (docs/judge.md)"
        )
    if judging.stopped:
        console.print(
            f"the limit {judging.stopped} ended the run after {judging.n_problems:,} of {len(job.items):,} solutions; the "
            "same command with a higher limit continues"
        )
    failed = [row for row in judging.records.values() if row["error"] is not None]
    if not failed:
        return 0
    print_error(
        console,
        f"{len(failed)} of {judging.n_problems} solutions ended with an error; the same command retries them",
    )
    for row in failed[:3]:
        console.print(f"  solution {row['id']}: {row['error']}", markup=False, highlight=False, soft_wrap=True)
    return 1
