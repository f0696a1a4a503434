"""One job of `tts judge`: composes, checks, judges labelled solutions, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tts.cli.job_command import JobCommand, plan_table, print_errors, print_path, print_stop
from tts.judge.job import JudgeJob, compose_judge
from tts.judge.runner import Judge
from tts.judge.summary import count_wholes
from tts.judge.tables import tables
from tts.runtime.simulations import SAID
from tts.tasks.labelled import LabelledSolution


def plan(job: JudgeJob, console: Console) -> None:
    """Prints what the run would do, with upper bounds, and the verifier's model input of a solution of each subset."""
    previews = job.previews()
    subsets: dict[str, list[LabelledSolution]] = {}
    for item in job.items:
        subsets.setdefault(item.subset, []).append(item)
    result = plan_table()
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
    console.print(result)
    for name, text in previews:
        console.rule(f"{escape(name)}: what the model reads, \u27e6\u2026\u27e7 where it is read")
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _report(job: JudgeJob, judge: Judge, folder: Path, console: Console) -> int:
    """Reports the outcome of the run, and returns its exit status."""
    judging, summary = judge.judging, judge.summary
    console.print(tables(summary, job.title))
    if summary["simulated"]:
        console.print(f"{' and '.join(SAID[name] for name in summary['simulated'])}: the figures are no results")
    print_path(console, folder)
    # With its own threshold, or judging step by step, it may stop after any score.
    traits = job.verifier.traits
    ends_early = job.threshold.stops is not None or traits.aggregators is not None
    if not ends_early and (wholes := count_wholes(judging, summary["threshold"]["value"], "steps" in traits.lacks)):
        console.print(
            f"{wholes:,} solutions have one score for all of their steps: of their figures, only solution F1 and AUC are "
            "meaningful (docs/judge.md)"
        )
    print_stop(console, judge.stopped, judging.n_problems, len(job.items), "solutions")
    failed = [(row["id"], row["error"]) for row in judging.records.values() if row["error"] is not None]
    return print_errors(console, len(failed), judging.n_problems, "solution", failed[:3])


def _count(job: JudgeJob) -> int:
    return len(job.items)


run_judge = JobCommand(compose_judge, plan, _count, JudgeJob.run, _report)
