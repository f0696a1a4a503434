"""One job of `tts filter`: composes, filters rationales, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tts.cli.job_command import JobCommand, nothing, plan_table, print_path
from tts.filter.job import Filtered, FilterJob, compose_filter
from tts.filter.reasons import IN_WORDS
from tts.filter.statistics import Histogram


def table(done: Filtered) -> Table:
    """Returns a table of what was kept and what was dropped, with the labels before and after."""
    result = plan_table("filter")
    result.add_row("rationales", f"{done.before.rationales:,} of {len(done.before.solutions):,} solutions")
    for reason, number in done.dropped.most_common():
        result.add_row("dropped", f"{number:,}: {IN_WORDS.get(reason, reason)}")
    result.add_row("rows", f"{len(done.picks):,} of {len(done.after.solutions):,} solutions")
    result.add_row("before", _labels(done.before))
    result.add_row("after", _labels(done.after))
    return result


def _labels(found: Histogram) -> str:
    verdicts = ", ".join(f"{number:,} {name}" for name, number in found.verdicts.items() if number)
    steps = ", ".join(f"{number:,} {name}" for name, number in found.steps.items() if number)
    return f"verdicts {verdicts or 'none'}; labels of steps {steps or 'none'}"


def _plan(job: FilterJob, console: Console) -> None:
    console.print(table(job.chosen()))


def _report(job: FilterJob, done: Filtered, folder: Path, console: Console) -> int:
    console.print(table(done))
    print_path(console, folder / done.file)
    return 0


run_filter = JobCommand(compose_filter, _plan, nothing, FilterJob.run, _report)
