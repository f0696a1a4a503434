"""One job of `tts filter`: composes, filters rationales, and reports to the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tts.cli.job_command import JobCommand, nothing, plan_table, print_path
from tts.filter.job import Filtered, FilterJob, compose_filter
from tts.filter.reasons import IN_WORDS


def table(done: Filtered) -> Table:
    """Returns a table of what was kept and what was dropped, with the labels before and after."""
    result = plan_table("filter")
    result.add_row("rationales", f"{done.before.rationales:,} of {len(done.before.solutions):,} solutions")
    for reason, number in done.dropped.most_common():
        result.add_row("dropped", f"{number:,}: {IN_WORDS.get(reason, reason)}")
    result.add_row("rows", f"{len(done.picks):,} of {len(done.after.solutions):,} solutions")
    for name, found in (("before", done.before), ("after", done.after)):
        result.add_row(name, f"verdicts: {_counts(found.verdicts)}; labels of steps: {_counts(found.steps)}")
        places = {f"at {index}" if index >= 0 else "none": n for index, n in sorted(found.first_errors.items())}
        result.add_row("", f"first wrong steps: {_counts(places)}")
    return result


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items()) or "none"


def _plan(job: FilterJob, console: Console) -> None:
    console.print(table(job.chosen()))


def _report(job: FilterJob, done: Filtered, folder: Path, console: Console) -> int:
    console.print(table(done))
    print_path(console, folder / done.file)
    return 0


run_filter = JobCommand(compose_filter, _plan, nothing, FilterJob.run, _report)
