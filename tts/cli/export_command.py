"""One job of `tts export`: composes, writes, and says how the result is read."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tts.cli.job_command import JobCommand, nothing, plan_table, print_path
from tts.export.data import IN_WORDS
from tts.export.job import ExportJob, compose_export


def _plan(job: ExportJob, console: Console) -> None:
    table = plan_table()
    table.add_row("data", IN_WORDS[job.data.kind])
    table.add_row("rows", f"{sum(1 for _ in job.data.rows()):,}")
    table.add_row("format", type(job.format).__name__)
    console.print(table)


def _report(job: ExportJob, rows: int, folder: Path, console: Console) -> int:
    console.print(f"{rows:,} rows of {IN_WORDS[job.data.kind]}; they are read by", highlight=False)
    console.print(job.format.hint(job.data.kind, folder), markup=False, highlight=False, soft_wrap=True)
    print_path(console, folder / job.format.name)
    return 0


run_export = JobCommand(compose_export, _plan, nothing, ExportJob.run, _report)
