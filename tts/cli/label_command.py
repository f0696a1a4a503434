"""One job of `tts label`: composes, checks, labels solutions, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.failures import print_error
from tts.cli.job_command import JobCommand, add_limits, plan_table, print_errors, print_path, print_stop
from tts.label.job import LabelJob, compose_label
from tts.label.runner import Labelling

_REASONS = {
    "hard": "no solution is right",
    "easy": "no solution is wrong",
    "limit": "a limit ended it",
    "unsolved": "no completion of the problem is right",
    "not_counted": "a step was not counted",
    "no_score": "the verifier gave no score",
    "disagreement": "completions and verifier disagree",
}
"""Why problems are skipped and solutions dropped, in words."""
_EXAMPLE = 10
"""Steps of a solution in the plan, which cannot know them."""


def plan(job: LabelJob, console: Console) -> None:
    """Prints what the run would do, with upper bounds."""
    work = job.work
    problems, kept, samples = len(job.problems), job.most_solutions, sum(job.most_samples)
    result = plan_table()
    result.add_row("task", f"{escape(job.task.name)}, {problems:,} problems")
    for place, engine in job.engines.items():
        result.add_row(f"{place}.engine", escape(engine.name))
    result.add_row("rule", type(work.rule).__name__)
    result.add_row("at most", f"{samples:,} samples{_tokens(work.policy.token_bound(samples), 1, 'policy')}")
    result.add_row("", f"{kept:,} solutions to label")
    if k := work.completions.most:
        # Of the problem itself, and of every step but the last.
        for name, prefixes in (("a step of each", kept), (f"{_EXAMPLE} steps each", problems + kept * (_EXAMPLE - 1))):
            tokens = _tokens(work.completer.token_bound(k), prefixes, "completer")
            result.add_row(name, f"{prefixes * k:,} completions{tokens}")
    if work.verifier is not None:
        tokens = _tokens(work.verifier.token_bound(1), kept, "verifier")
        result.add_row("a step of each", f"{kept * work.verifier.votes:,} votes{tokens}")
    add_limits(result, work.budget)
    result.add_row("config", job.identity)
    console.print(result)


def _tokens(bound: int | None, times: int, role: str) -> str:
    return ", no bound of tokens" if bound is None else f", {times * bound:,} {role} tokens"


def table(labelling: Labelling, title: str) -> Table:
    """Returns a table of what a run found."""
    found, summary = labelling.tally, labelling.summary
    steps = summary["steps"]
    result = plan_table(title)
    result.add_row("problems", f"{found.problems:,}, Pass@1 {_rate(summary['pass_at_1'])}")
    for name, reasons in (("skipped", found.skipped), ("dropped", found.dropped)):
        for reason, number in sorted(reasons.items()):
            result.add_row(name, f"{number:,}: {_REASONS.get(reason, reason)}")
    result.add_row("solutions", f"{found.labelled:,} labelled, {found.first_errors[-1]:,} of them without an error")
    result.add_row("steps", ", ".join(f"{number:,} {label}" for label, number in steps.items()))
    result.add_row("completions", f"{summary['completions']:,}")
    return result


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _report(job: LabelJob, labelling: Labelling, folder: Path, console: Console) -> int:
    """Reports the outcome of the run, and returns its exit status."""
    console.print(table(labelling, escape(job.title)))
    print_path(console, folder / "labels.jsonl")
    tally = labelling.tally
    print_stop(console, labelling.stopped, tally.problems, len(job.problems), "problems")
    failed = print_errors(console, tally.errors, tally.problems, "problem", labelling.failures)
    if job.work.policy.splits and tally.solutions["all"] and not tally.stepped:
        print_error(
            console,
            f"policy.steps={job.config['policy'].get('steps')!r} never cut a solution: all {tally.solutions['all']:,} of "
            "them are one step; choose the format that the model writes (blank_line, heading, numbered, or a text)",
        )
        return 1
    return failed


def _count(job: LabelJob) -> int:
    return len(job.problems)


run_label = JobCommand(compose_label, plan, _count, LabelJob.run, _report)
